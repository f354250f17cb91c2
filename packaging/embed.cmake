# Writes files as a C array, the table of daemon/serve/page.h:
#   cmake "-DFILES=a;b" -DOUT=... -P embed.cmake
set(arrays "")
set(rows "")
set(number 0)
foreach(file IN LISTS FILES)
  cmake_path(GET file FILENAME name)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  file(SIZE ${file} size)
  string(APPEND arrays "static const uint8_t file_${number}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", file_${number}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT} "/* Made by packaging/embed.cmake. */
#include \"serve/page.h\"

${arrays}
const struct qn_page_file qn_page_files[] = {
${rows}};
const size_t qn_page_file_count = ${number};
")
