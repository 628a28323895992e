/* What the files of the export share. Private to ingest. */
#ifndef NOF0_INGEST_EXPORT_PARTS_H
#define NOF0_INGEST_EXPORT_PARTS_H

#include "assembler/wire.h"
#include "base/arena.h"
#include "ingest/export.h"
#include "ingest/row_stream.h"
#include "legacy/writer.h"

/* One file under way. */
struct export_file {
    struct session *session;
    const char *prices_provider;
    const struct feed_documents_row *document;
    struct wire_detail detail; /* of the document */
    struct legacy_writer *writer;
    struct buf pending; /* JSON that was not handed to the writer yet */
    struct json_writer json;
    struct arena *arena; /* lives as long as the file */
    size_t rows;
};

/* Writes the members that hold the file's rows, e.g. "trades":[...], and those that follow from them. */
typedef bool export_rows_fn(struct export_file *file, struct err *err);

export_rows_fn export_rows_crypto_prices;
export_rows_fn export_rows_account_totals;
export_rows_fn export_rows_positions;
export_rows_fn export_rows_trades;
export_rows_fn export_rows_since_inception;
export_rows_fn export_rows_leaderboard;
export_rows_fn export_rows_analytics;
export_rows_fn export_rows_analytics_own; /* of the model that the document's name says */
export_rows_fn export_rows_conversations;

/* What feed_documents says was imported, by name. */
struct export_documents {
    struct arena *arena; /* holds the rows */
    const struct feed_documents_row **rows;
    size_t count;
    size_t room;
};

/* Reads them; free also after a failure. ERR_INTERNAL when one is of a feed that is not known. */
bool export_documents_read(struct export_documents *documents, struct session *session, struct err *err);
void export_documents_free(struct export_documents *documents);

/* Writes the document's file into dir, inside the session's transaction. *rows: how many it has. */
bool export_write(struct session *session, const char *dir, const char *prices_provider,
                  const struct feed_documents_row *document, size_t *rows, struct err *err);

/* Before each row: its comma. The caller then appends the row to file->pending. */
void export_begin_row(struct export_file *file);
/* After each row: hands over what has gathered. */
bool export_end_row(struct export_file *file, struct err *err);

#endif
