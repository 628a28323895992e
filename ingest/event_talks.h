/* The two shapes of conversations, stored apart. Private to ingest. */
#ifndef NOF0_INGEST_EVENT_TALKS_H
#define NOF0_INGEST_EVENT_TALKS_H

#include "ingest/event_store.h"

event_store_fn event_store_cycles;
event_store_fn event_store_talks;

#endif
