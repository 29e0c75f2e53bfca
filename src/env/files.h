// What everybody does with files, in terms of FileSystem. Blocking.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "env/file_system.h"

namespace cairn::env {

// "a/b" and "c" to "a/b/c".
std::string JoinPath(std::string_view directory, std::string_view name);

// The directory part of `path`: "a/b" of "a/b/c", "." of "c", "/" of "/c".
std::string DirName(std::string_view path);

// The whole file. Errors: those of FileSystem; RESOURCE_EXHAUSTED when it is longer than
// `limit_bytes`.
absl::StatusOr<std::string> ReadFile(FileSystem& fs, const std::string& path, uint64_t limit_bytes);

// Replaces `path` by `content`, durably and atomically: write and sync "<path>.new", rename, sync
// the directory. After a crash the file is the old or the new one, whole.
absl::Status ReplaceFile(FileSystem& fs, const std::string& path, std::string_view content);

// As ReplaceFile; nobody but the owner may read the file.
absl::Status ReplacePrivateFile(FileSystem& fs, const std::string& path, std::string_view content);

// As ReplaceFile and ReadFile, for what a node cannot be without: the file holds the content twice,
// each copy closed by a line "crc32c <8 hex digits>" over it. Let the content end with a newline,
// so that the checksums stand on lines of their own. ReadChecksummedFile returns the content of a
// copy that fits, and writes the file anew when the other one does not. Errors: DATA_LOSS, with
// file, expected and found checksum, when neither does; RESOURCE_EXHAUSTED when the content is
// longer than `limit_bytes`.
absl::Status ReplaceChecksummedFile(FileSystem& fs, const std::string& path,
                                    std::string_view content);
absl::StatusOr<std::string> ReadChecksummedFile(FileSystem& fs, const std::string& path,
                                                uint64_t limit_bytes);

// Creates `path` and its missing parents; each new entry is synced into its parent. OK when it
// exists.
absl::Status CreateDirs(FileSystem& fs, const std::string& path);

// Removes `path` and everything below it. OK when it is absent. Not atomic, and durable only after
// SyncDir of the parent. Symbolic links are removed, not followed.
absl::Status RemoveTree(FileSystem& fs, const std::string& path);

}  // namespace cairn::env
