/* What the workers of this process served last under each name, so that no client sees older data through one worker
 * than it saw through another. When an answer with other content than before is served, the floor of its feed rises to
 * its version (cache/floors.h): from then on nothing older is current anywhere in the process, also before the change
 * is announced. An answer with the same content as before raises nothing: versions grow with every commit to any table,
 * and answers that are as good as new must not be thrown away for that.
 *
 * Names have a place by their hash. Answers to questions without parameters have places where no others come; there,
 * and as long as two names do not meet in one place, the promise holds by itself. Where names meet, the announcement
 * is what holds it. */
#ifndef NOF0_SERVER_SERVED_H
#define NOF0_SERVER_SERVED_H

#include "cache/floors.h"
#include "server/answer_name.h"

#include <pthread.h>

enum { SERVED_PLACES = 2048, SERVED_WHOLE_PLACES = 1024 };

struct served {
    pthread_mutex_t lock; /* taken once for each answer that is made, not for each reply */
    struct served_place {
        uint64_t name;
        uint64_t content;
        int64_t version;
    } places[SERVED_PLACES];
};

void served_init(struct served *served);
void served_destroy(struct served *served);

/* An answer was made that will be served: `content` is a hash of its body. False when a newer one with other content
 * was there already: then it may go to who waits for it, and must not be kept. From any thread. */
bool served_note(struct served *served, struct cache_floors *floors, const struct answer_name *name, uint64_t content,
                 int64_t version);

/* Forgets everything: the data come from a server that counts anew. */
void served_forget(struct served *served);

#endif
