#include "env/temporary_directory.h"

#include <cstdlib>
#include <filesystem>

#include "base/check.h"
#include "env/files.h"

namespace cairn::env {

TemporaryDirectory::TemporaryDirectory()
    : path_(std::filesystem::temp_directory_path() / "cairn-test-XXXXXX") {
  CAIRN_CHECK(::mkdtemp(path_.data()) != nullptr, "the test needs a writable temporary directory");
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // what a failed test left behind does not make it fail twice
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::Join(std::string_view name) const { return JoinPath(path_, name); }

}  // namespace cairn::env
