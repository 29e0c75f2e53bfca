// A child process with pipes: started, fed, read, signalled, waited for. For tests.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::testing {

struct FinishedProcess {
  int exit_code = -1;  // 128 + N when signal N ended it, as in a shell
  std::string out;
  std::string err;
};

// Runs a command to its end with `input` on its stdin; fails the test when it takes over a minute.
FinishedProcess RunCommand(const std::vector<std::string>& arguments,
                           const std::string& input = "");

// The cairn binary of this build, or the one that CAIRN_TEST_BINARY names, with arguments.
std::vector<std::string> Cairn(std::vector<std::string> arguments);

// A directory of its own, removed with what it holds.
class ScratchDir {
 public:
  ScratchDir();
  ~ScratchDir();
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string ReadWholeFile(const std::string& path);
void WriteWholeFile(const std::string& path, const std::string& content);

}  // namespace cairn::testing
