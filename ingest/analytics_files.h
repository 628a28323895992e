/* The analytics files of a legacy folder: the list of all models, and one file for each model. Private to ingest. */
#ifndef NOF0_INGEST_ANALYTICS_FILES_H
#define NOF0_INGEST_ANALYTICS_FILES_H

#include "ingest/import_parts.h"

/* A model's own file. */
struct analytics_own {
    char *model; /* of the file's name */
    char *name;  /* "analytics-grok-4", as feed_documents calls it */
    bool good;
    bool in_array;  /* the object stands in an array of one */
    cJSON *tree;    /* the file */
    cJSON *payload; /* inside of tree */
    struct import_document document;
};

struct analytics_files {
    bool bulk_missing;
    bool bulk_good;
    cJSON *bulk_tree;
    cJSON *bulk; /* the list, inside of bulk_tree; entries that came twice are taken out */
    struct import_document bulk_document;
    struct analytics_own *own; /* by name */
    size_t own_count;
};

/* Reads and checks them all, telling every fault; sets import->found and import->faulty. */
void analytics_files_read(struct analytics_files *files, struct import *import);
void analytics_files_free(struct analytics_files *files);

/* The model_id of a checked entry. */
struct slice analytics_model(const cJSON *payload);

#endif
