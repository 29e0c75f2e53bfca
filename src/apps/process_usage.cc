#include "apps/process_usage.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/strings.h"

namespace cairn::apps {
namespace {

// The inode of the socket that listens on `port`, "" when there is none. Columns: proc_net_tcp(5).
std::string ListeningInode(unsigned port) {
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream table(path);
    std::string line;
    std::getline(table, line);
    while (std::getline(table, line)) {
      std::istringstream columns(line);
      std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
      columns >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
          timeout >> inode;
      const size_t colon = local.rfind(':');
      if (state == "0A" && colon != std::string::npos &&
          std::strtoul(local.c_str() + colon + 1, nullptr, 16) == port) {
        return inode;
      }
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<ProcessUsage> UsageOf(pid_t pid) {
  std::ifstream stat(base::StrCat("/proc/", pid, "/stat"));
  std::string line;
  if (!std::getline(stat, line)) return absl::NotFoundError(base::StrCat("no process ", pid));
  // The name in parentheses may hold anything; utime and stime are fields 14 and 15, counted
  // from 1.
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  std::ifstream statm(base::StrCat("/proc/", pid, "/statm"));
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return ProcessUsage{
      .cpu_seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)),
      .resident_bytes = resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE))};
}

absl::StatusOr<pid_t> ListenerOf(const std::string& address) {
  const size_t colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? address : address.substr(colon + 1);
  const std::string inode =
      ListeningInode(static_cast<unsigned>(std::strtoul(port.c_str(), nullptr, 10)));
  if (!inode.empty()) {
    const std::string wanted = "socket:[" + inode + "]";
    std::error_code error;
    for (const auto& process : std::filesystem::directory_iterator("/proc", error)) {
      const std::string name = process.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::error_code unreadable;  // of another user, or gone meanwhile
      for (std::filesystem::directory_iterator fd(process.path() / "fd", unreadable), end;
           !unreadable && fd != end; fd.increment(unreadable)) {
        std::error_code gone;
        if (std::filesystem::read_symlink(fd->path(), gone) == wanted) {
          return static_cast<pid_t>(std::atoi(name.c_str()));
        }
      }
    }
  }
  return absl::NotFoundError(base::StrCat("no process of this machine listens on port ", port));
}

}  // namespace cairn::apps
