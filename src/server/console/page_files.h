// The files of page/, as they were when the program was built.
#pragma once

#include <span>
#include <string_view>

namespace cairn::server {

struct PageFile {
  std::string_view name;  // "index.html"
  std::string_view content;
};

// All of them. The definition is made by cmake/EmbedFiles.cmake.
std::span<const PageFile> PageFiles();

}  // namespace cairn::server
