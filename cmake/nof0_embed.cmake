# cmake -DFILES=a.sql;b.sql -DOUT=file.c -P nof0_embed.cmake
# Writes a C file that holds the files' bytes as struct migration_file migrations_embedded[] (repo/migration_set.h), so
# that the program needs no folder beside it.

set(texts "")
set(rows "")
list(SORT FILES)
set(number 0)
foreach(file ${FILES})
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n"
         bytes "${bytes}")
  string(APPEND texts "static const unsigned char text_${number}[] = {\n${bytes}0x00};\n")
  string(APPEND rows "    {\"${name}\", (const char *)text_${number}, sizeof text_${number} - 1},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE "${OUT}" "/* Made from migrations/ by cmake/nof0_embed.cmake. */
#include \"repo/migration_set.h\"

${texts}
const struct migration_file migrations_embedded[] = {
${rows}};
const size_t migrations_embedded_count = ${number};
")
