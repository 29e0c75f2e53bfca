#include <sys/random.h>

#include <cerrno>

#include "base/check.h"
#include "env/posix.h"

namespace cairn::env {
namespace {

class KernelRandom final : public Random {
 public:
  uint64_t Next() override {
    uint64_t bits = 0;
    ssize_t got;
    do {
      got = ::getrandom(&bits, sizeof bits, 0);  // up to 256 bytes come whole
    } while (got < 0 && errno == EINTR);
    CAIRN_CHECK(got == sizeof bits, "the kernel gives no random numbers");
    return bits;
  }
};

}  // namespace

Random& SystemRandom() {
  static KernelRandom random;
  return random;
}

}  // namespace cairn::env
