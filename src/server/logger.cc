#include "server/logger.h"

#include <unistd.h>

#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/event_loop.h"
#include "env/posix.h"
#include "server/log_line.h"

namespace cairn::server {
namespace {

constexpr std::array<std::string_view, 3> kFormats = {"auto", "json", "text"};

int64_t NowUs() { return absl::GetCurrentTimeNanos() / 1000; }

LogFormat Resolve(LogFormat format) {
  if (format != LogFormat::kAuto) return format;
  return isatty(STDERR_FILENO) != 0 ? LogFormat::kText : LogFormat::kJson;
}

}  // namespace

absl::StatusOr<LogFormat> ParseLogFormat(std::string_view name) {
  for (size_t i = 0; i < kFormats.size(); ++i) {
    if (kFormats[i] == name) return static_cast<LogFormat>(i);
  }
  return absl::InvalidArgumentError(
      base::StrCat("\"", name, "\" is not one of auto, json or text"));
}
std::string_view LogFormatName(LogFormat format) { return kFormats[static_cast<size_t>(format)]; }

class Logger::Output {
 public:
  explicit Output(LogFormat format) : format_(Resolve(format)) {}
  virtual ~Output() = default;

  LogFormat format() const { return format_; }
  virtual void Add(int64_t time_us, std::string line) = 0;
  virtual void Reopen() {}
  virtual void Flush() {}
  virtual env::LineCounters counters() const { return {}; }

 private:
  const LogFormat format_;
};

class Logger::StreamOutput final : public Output {
 public:
  StreamOutput(std::ostream& stream, LogFormat format) : Output(format), stream_(stream) {}

  void Add(int64_t /*time_us*/, std::string line) override {
    const base::MutexLock lock(mutex_);
    stream_ << line << std::flush;
  }

 private:
  base::Mutex mutex_;
  std::ostream& stream_;
};

class Logger::QueueOutput final : public Output {
 public:
  // `fs` is what the sink works with, if it does.
  QueueOutput(std::unique_ptr<env::FileSystem> fs, std::unique_ptr<env::LineSink> sink,
              const LogOptions& options)
      : Output(options.format),
        fs_(std::move(fs)),
        lines_(
            thread_, std::move(sink),
            {.max_queued = options.max_queued,
             .append_dropped = [this](int64_t time_ms, uint64_t count,
                                      std::string& text) { AppendDropped(time_ms, count, text); },
             .on_error = options.file.empty()
                             ? std::function<void(absl::Status)>()
                             : [this](const absl::Status& why) { TellStderr(why); }}) {}

  ~QueueOutput() override {
    std::promise<void> stopped;
    lines_.Stop([&stopped] { stopped.set_value(); });
    stopped.get_future().wait();
  }

  void Add(int64_t time_us, std::string line) override {
    lines_.Add(time_us / 1000, [line = std::move(line)](std::string& text) { text += line; });
  }
  void Reopen() override { lines_.Reopen(); }
  void Flush() override {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(Logger::kFlushMs);
    while (!thread_.IsCurrent() && !lines_.idle() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  env::LineCounters counters() const override { return lines_.counters(); }

 private:
  void AppendDropped(int64_t time_ms, uint64_t count, std::string& text) const {
    const LogField dropped[] = {{"dropped", static_cast<int64_t>(count)}};
    text += FormatLogLine({.time_us = time_ms * 1000,
                           .level = LogLevel::kWarn,
                           .message = "log lines dropped",
                           .fields = dropped},
                          format());
  }

  // There is no better place. When nobody reads that either, it is lost.
  void TellStderr(const absl::Status& why) const {
    const LogField error[] = {{"error", std::string(base::StdView(why.message()))}};
    std::string line = FormatLogLine({.time_us = NowUs(),
                                      .level = LogLevel::kError,
                                      .message = "log file cannot be written",
                                      .fields = error},
                                     format());
    env::NewDescriptorSink(STDERR_FILENO)->Write(line).IgnoreError();
  }

  const std::unique_ptr<env::FileSystem> fs_;
  env::LineLog lines_;
  env::EventLoop thread_{"cairn-log"};  // last: its thread is gone before what it uses
};

Logger::Logger(const LogLevels& levels, std::unique_ptr<Output> output)
    : output_(std::move(output)) {
  SetLevels(levels);
}
Logger::~Logger() = default;

absl::StatusOr<std::unique_ptr<Logger>> Logger::Open(LogOptions options) {
  if (options.file.empty()) return ToDescriptor(STDERR_FILENO, std::move(options));
  auto fs = env::NewPosixFileSystem();
  auto sink = env::NewFileSink(*fs, options.file);
  CAIRN_RETURN_IF_ERROR(sink->Open());
  return std::unique_ptr<Logger>(new Logger(
      options.levels, std::make_unique<QueueOutput>(std::move(fs), std::move(sink), options)));
}

std::unique_ptr<Logger> Logger::ToDescriptor(int descriptor, LogOptions options) {
  return std::unique_ptr<Logger>(new Logger(
      options.levels,
      std::make_unique<QueueOutput>(nullptr, env::NewDescriptorSink(descriptor), options)));
}

std::unique_ptr<Logger> Logger::ToStream(std::ostream& stream, LogLevels levels, LogFormat format) {
  return std::unique_ptr<Logger>(
      new Logger(levels, std::make_unique<StreamOutput>(stream, format)));
}

void Logger::SetLevels(const LogLevels& levels) {
  for (size_t i = 0; i < kLogModules; ++i) {
    levels_[i].store(levels.of(static_cast<LogModule>(i)), std::memory_order_relaxed);
  }
}

void Logger::Log(LogModule module, LogLevel level, std::string_view message,
                 std::span<const LogField> fields) {
  if (!Enabled(module, level)) return;
  const int64_t now_us = NowUs();
  std::string line = FormatLogLine(
      {.time_us = now_us, .module = module, .level = level, .message = message, .fields = fields},
      output_->format());
  ring_.Add(line);
  output_->Add(now_us, std::move(line));
}

void Logger::Reopen() { output_->Reopen(); }
void Logger::Flush() { output_->Flush(); }
env::LineCounters Logger::counters() const { return output_->counters(); }

}  // namespace cairn::server
