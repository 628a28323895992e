#include "server/served.h"

#include <string.h>
#include <xxhash.h>

void served_init(struct served *served)
{
    memset(served, 0, sizeof *served);
    (void)pthread_mutex_init(&served->lock, NULL);
}

void served_destroy(struct served *served)
{
    (void)pthread_mutex_destroy(&served->lock);
}

bool served_note(struct served *served, struct cache_floors *floors, const struct answer_name *name, uint64_t content,
                 int64_t version)
{
    uint64_t hash = XXH3_64bits(name->text.p, name->text.n);
    size_t place = name->room == ANSWER_WHOLE ? hash % SERVED_WHOLE_PLACES
                                              : SERVED_WHOLE_PLACES + hash % (SERVED_PLACES - SERVED_WHOLE_PLACES);
    struct served_place *known = &served->places[place];
    (void)pthread_mutex_lock(&served->lock);
    bool known_name = known->version > 0 && known->name == hash;
    bool same = known_name && known->content == content;
    bool outdated = known_name && !same && version < known->version;
    bool changed = known_name && !same && version > known->version;
    if (!known_name || changed)
        *known = (struct served_place){hash, content, version};
    else if (same && known->version < version)
        known->version = version;
    /* Before the lock is given back: who serves the new content next has the floor under it. */
    if (changed)
        (void)cache_floor_raise(floors, name->feed, version);
    (void)pthread_mutex_unlock(&served->lock);
    return !outdated;
}

void served_forget(struct served *served)
{
    (void)pthread_mutex_lock(&served->lock);
    memset(served->places, 0, sizeof served->places);
    (void)pthread_mutex_unlock(&served->lock);
}
