// Short forms for tests over a simulated disk. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "env/files.h"
#include "env/sim_file_system.h"

namespace cairn::env {

inline absl::Status Write(File& file, uint64_t position, std::string_view text) {
  const std::array<std::string_view, 1> buffers = {text};
  return file.WriteAt(position, buffers);
}

// The content of a file, nullopt when there is none of this name.
inline std::optional<std::string> Content(FileSystem& fs, const std::string& path) {
  absl::StatusOr<std::string> content = ReadFile(fs, path, uint64_t{1} << 30);
  if (absl::IsNotFound(content.status())) return std::nullopt;
  EXPECT_TRUE(content.ok()) << content.status();
  return *std::move(content);
}

// A file that exists with `content`, all of it durable. Its directory is the root.
inline std::unique_ptr<File> DurableFile(FileSystem& fs, const std::string& name,
                                         std::string_view content) {
  std::unique_ptr<File> file = fs.Open(name, OpenMode::kCreate).value();
  EXPECT_TRUE(Write(*file, 0, content).ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_TRUE(fs.SyncDir("/").ok());
  return file;
}

// Calls `look(image)` for the simple crashes and `count` random ones.
template <typename Look>
void ForEachCrash(const SimFileSystem& fs, uint64_t count, Look look) {
  look(*fs.CrashImage(CrashChoice::DropAll()));
  look(*fs.CrashImage(CrashChoice::KeepAll()));
  look(*fs.CrashImage(CrashChoice::KeepLast()));
  for (uint64_t seed = 0; seed < count; ++seed) {
    look(*fs.CrashImage(CrashChoice::Random(seed)));
  }
}

// Every content of `path` that crashes leave behind.
inline std::set<std::optional<std::string>> CrashContents(const SimFileSystem& fs,
                                                          const std::string& path,
                                                          uint64_t count = 1000) {
  std::set<std::optional<std::string>> contents;
  ForEachCrash(fs, count, [&](SimFileSystem& image) { contents.insert(Content(image, path)); });
  return contents;
}

}  // namespace cairn::env
