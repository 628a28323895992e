/* One file of the folder at one time: its state, and the content that is served for it. Immutable and counted. Private
 * to the room. */
#ifndef NOF0_LEGACY_FILE_H
#define NOF0_LEGACY_FILE_H

#include "legacy/content.h"
#include "legacy/legacy.h"

/* A larger file is a fault: its body would have to fit in memory several times. */
#define LEGACY_FILE_MAX ((int64_t)1 << 30)

/* What tells one version of a file from another without reading it; all 0 for a file that is not there. */
struct legacy_signature {
    uint64_t inode;
    int64_t size;
    int64_t mtime_ns;
};

struct legacy_file {
    atomic_size_t references;
    enum read_kind kind;
    struct legacy_file_state state; /* name and fault are owned */
    struct legacy_signature signature;
    bool look_again; /* even under the same signature: it was read too soon after its last write for a later one to bear
                        another time, or the system refused it */
    struct legacy_content *content; /* NULL when no good version was ever read */
};

struct legacy_folder {
    int fd;    /* -1 when it cannot be opened */
    int error; /* then why */
};

/* The file now. When it is as `previous` (may be NULL) knew it, that is `previous` again with one more reference. A new
 * content takes the next number from *last_version, unless its bytes are those of the previous one. Never NULL. */
struct legacy_file *legacy_file_look(const struct legacy_folder *folder, const char *name, enum read_kind kind,
                                     struct legacy_file *previous, uint64_t *last_version);

/* True when readers cannot tell one from the other. */
bool legacy_file_same(const struct legacy_file *a, const struct legacy_file *b);

struct legacy_file *legacy_file_ref(struct legacy_file *file);
void legacy_file_unref(struct legacy_file *file);

#endif
