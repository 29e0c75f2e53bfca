# cmake -DOUTPUT=page_files.cc "-DFILES=a;b" -P EmbedFiles.cmake — writes the definition of
# cairn::server::PageFiles (src/server/console/page_files.h) with the content of the files.
set(arrays "")
set(rows "")
set(number 0)
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(REGEX REPLACE "((.......){16})" "\\1\n    " bytes "${bytes}")
  string(APPEND arrays "constexpr char kFile${number}[] = {\n    ${bytes}};\n")
  string(APPEND rows "      {\"${name}\", {kFile${number}, sizeof(kFile${number})}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUTPUT}" "// Made by cmake/EmbedFiles.cmake.
#include \"server/console/page_files.h\"

namespace cairn::server {
namespace {

${arrays}
constexpr PageFile kFiles[] = {
${rows}};

}  // namespace

std::span<const PageFile> PageFiles() { return kFiles; }

}  // namespace cairn::server
")
