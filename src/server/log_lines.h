// For tests: what a server logs, readable while it logs.
#pragma once

#include <ostream>
#include <streambuf>
#include <string>

#include "base/mutex.h"

namespace cairn::server {

class LogLines final : public std::ostream {
 public:
  LogLines() : std::ostream(nullptr) { rdbuf(&buffer_); }

  std::string str() const { return buffer_.Text(); }

 private:
  class Buffer final : public std::streambuf {
   public:
    std::string Text() const {
      const base::MutexLock lock(mutex_);
      return text_;
    }

   private:
    int_type overflow(int_type c) override {
      const char one = traits_type::to_char_type(c);
      xsputn(&one, 1);
      return c;
    }
    std::streamsize xsputn(const char* data, std::streamsize size) override {
      const base::MutexLock lock(mutex_);
      text_.append(data, static_cast<size_t>(size));
      return size;
    }

    mutable base::Mutex mutex_;
    std::string text_ CAIRN_GUARDED_BY(mutex_);
  };
  Buffer buffer_;
};

}  // namespace cairn::server
