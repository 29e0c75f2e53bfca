#include <array>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "env/files.h"
#include "env/line_sink.h"

namespace cairn::env {
namespace {

class FileSink final : public LineSink {
 public:
  FileSink(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

  absl::Status Open() override {
    Close();
    absl::StatusOr<std::unique_ptr<File>> file = fs_.Open(path_, OpenMode::kReadWrite);
    if (absl::IsNotFound(file.status())) {
      file = fs_.Open(path_, OpenMode::kCreatePrivate);
      if (file.ok()) entry_unsynced_ = true;
      // Whoever rotates logs was quicker.
      if (absl::IsAlreadyExists(file.status())) file = fs_.Open(path_, OpenMode::kReadWrite);
    }
    CAIRN_RETURN_IF_ERROR(file.status());
    CAIRN_ASSIGN_OR_RETURN(const uint64_t end, (*file)->Size());
    // A write that failed, or a crash, may have left a part of a line.
    torn_ = false;
    if (end > 0) {
      std::array<char, 1> last = {};
      CAIRN_ASSIGN_OR_RETURN(const size_t got, (*file)->ReadAt(end - 1, last));
      torn_ = got == 0 || last[0] != '\n';
    }
    file_ = *std::move(file);
    return absl::OkStatus();
  }

  absl::Status Write(std::string& lines) override {
    if (file_ == nullptr) CAIRN_RETURN_IF_ERROR(Open());
    // Asked every time: a file that was cut by whoever rotates it goes on at its new end.
    CAIRN_ASSIGN_OR_RETURN(const uint64_t end, file_->Size());
    const std::array<std::string_view, 2> buffers = {torn_ && end > 0 ? "\n" : "", lines};
    CAIRN_RETURN_IF_ERROR(file_->WriteAt(end, buffers));
    torn_ = false;
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    CAIRN_CHECK(file_ != nullptr, "what is synced was written to a file that is open");
    CAIRN_RETURN_IF_ERROR(file_->Sync());
    if (entry_unsynced_) CAIRN_RETURN_IF_ERROR(fs_.SyncDir(DirName(path_)));
    entry_unsynced_ = false;
    return absl::OkStatus();
  }

  void Close() override { file_.reset(); }

 private:
  FileSystem& fs_;
  const std::string path_;
  std::unique_ptr<File> file_;   // null when closed
  bool torn_ = false;            // the file may end within a line
  bool entry_unsynced_ = false;  // the file is new in its directory
};

}  // namespace

std::unique_ptr<LineSink> NewFileSink(FileSystem& fs, std::string path) {
  return std::make_unique<FileSink>(fs, std::move(path));
}

}  // namespace cairn::env
