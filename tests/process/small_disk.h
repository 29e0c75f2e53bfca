// A file system in memory of a fixed size, to be filled. For tests; needs root.
#pragma once

#include <sys/mount.h>

#include <cstddef>
#include <filesystem>
#include <string>

namespace cairn::testing {

class SmallDisk {
 public:
  SmallDisk(std::string path, size_t size_bytes) : path_(std::move(path)) {
    std::filesystem::create_directory(path_);
    const std::string options = "size=" + std::to_string(size_bytes);
    mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }

 private:
  const std::string path_;
  bool mounted_ = false;
};

}  // namespace cairn::testing
