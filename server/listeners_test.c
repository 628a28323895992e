#include "base/testing.h"
#include "server/listeners.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 4 };

static void test_all_listen_at_one_free_port(void **state)
{
    (void)state;
    int fds[COUNT];
    unsigned port = 0;
    struct err err = ERR_INIT;
    assert_true(listeners_open("127.0.0.1", 0, COUNT, fds, &port, &err));
    assert_in_range(port, 1, 65535);
    for (int i = 0; i < COUNT; i++)
        assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
    listeners_close(fds, COUNT);
}

static void test_a_port_in_use_is_refused(void **state)
{
    (void)state;
    int fds[COUNT];
    int more[COUNT];
    unsigned port = 0;
    unsigned other = 0;
    struct err err = ERR_INIT;
    assert_true(listeners_open("127.0.0.1", 0, COUNT, fds, &port, &err));
    assert_false(listeners_open("127.0.0.1", port, COUNT, more, &other, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_non_null(strstr(err.text, "in use"));
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(more[i], -1);
    listeners_close(fds, COUNT);
}

static void test_a_host_must_be_an_address_of_this_machine(void **state)
{
    (void)state;
    static const char *const bad[] = {"localhost", "", "127.0.0.1.5", "::g", "192.0.2.1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fds[COUNT];
        unsigned port = 0;
        struct err err = ERR_INIT;
        if (listeners_open(bad[i], 0, COUNT, fds, &port, &err))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(err.text[0] != '\0');
        if (listeners_open(bad[i], 18888, COUNT, fds, &port, &err))
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_listen_at_one_free_port),
        cmocka_unit_test(test_a_port_in_use_is_refused),
        cmocka_unit_test(test_a_host_must_be_an_address_of_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
