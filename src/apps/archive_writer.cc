#include "apps/archive_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/strings.h"

namespace cairn::apps {
namespace {

constexpr mode_t kOwnerOnly = 0600;

struct Free {
  void operator()(archive* writer) const { archive_write_free(writer); }
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

}  // namespace

// libarchive: tar as POSIX has it (pax, where ustar does not do), in gzip.
class ArchiveWriter::Impl {
 public:
  Impl(std::string file, int fd) : file_(std::move(file)), fd_(fd) {}
  ~Impl() {
    writer_.reset();  // writes to the descriptor
    if (fd_ < 0) return;
    close(fd_);
    unlink(file_.c_str());
  }

  absl::Status Open() {
    if (writer_ == nullptr) return absl::ResourceExhaustedError("no memory for an archive");
    if (archive_write_add_filter_gzip(writer_.get()) != ARCHIVE_OK ||
        archive_write_set_format_pax_restricted(writer_.get()) != ARCHIVE_OK ||
        archive_write_open_fd(writer_.get(), fd_) != ARCHIVE_OK) {
      return Failed();
    }
    return absl::OkStatus();
  }

  absl::Status Add(const std::string& name, std::string_view contents, int64_t time_s) {
    const std::unique_ptr<archive_entry, Free> entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), kOwnerOnly);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(contents.size()));
    archive_entry_set_mtime(entry.get(), time_s, 0);
    if (archive_write_header(writer_.get(), entry.get()) != ARCHIVE_OK) return Failed();
    while (!contents.empty()) {
      const la_ssize_t wrote = archive_write_data(writer_.get(), contents.data(), contents.size());
      if (wrote <= 0) return Failed();
      contents.remove_prefix(static_cast<size_t>(wrote));
    }
    return absl::OkStatus();
  }

  absl::Status Finish() {
    if (archive_write_close(writer_.get()) != ARCHIVE_OK) return Failed();
    writer_.reset();
    if (close(std::exchange(fd_, -1)) != 0) {
      const int error = errno;
      unlink(file_.c_str());
      return absl::ErrnoToStatus(error, base::StrCat("cannot write '", file_, "'"));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Failed() const {
    const char* text = archive_error_string(writer_.get());
    return absl::UnavailableError(
        base::StrCat("cannot write '", file_, "': ", text == nullptr ? "no reason given" : text));
  }

  const std::string file_;
  int fd_;
  std::unique_ptr<archive, Free> writer_{archive_write_new()};
};

absl::StatusOr<std::unique_ptr<ArchiveWriter>> ArchiveWriter::Create(const std::string& file,
                                                                     Existing existing) {
  // Made anew also where one is replaced: the old one may be open to others.
  if (existing == Existing::kReplace && unlink(file.c_str()) != 0 && errno != ENOENT) {
    return absl::ErrnoToStatus(errno, base::StrCat("cannot replace '", file, "'"));
  }
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kOwnerOnly);
  if (fd < 0 && errno == EEXIST) {
    return absl::AlreadyExistsError(base::StrCat("there is a file '", file, "' already"));
  }
  if (fd < 0) return absl::ErrnoToStatus(errno, base::StrCat("cannot make '", file, "'"));
  auto impl = std::make_unique<Impl>(file, fd);
  if (absl::Status opened = impl->Open(); !opened.ok()) return opened;
  return std::unique_ptr<ArchiveWriter>(new ArchiveWriter(std::move(impl)));
}

ArchiveWriter::ArchiveWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ArchiveWriter::~ArchiveWriter() = default;

absl::Status ArchiveWriter::Add(const std::string& name, std::string_view contents,
                                int64_t time_s) {
  return impl_->Add(name, contents, time_s);
}
absl::Status ArchiveWriter::Finish() { return impl_->Finish(); }

}  // namespace cairn::apps
