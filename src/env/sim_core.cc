#include "env/sim_core.h"

#include <cerrno>

#include "base/strings.h"
#include "env/posix_error.h"

namespace cairn::env {

SimCore::Call SimCore::Begin(SimOp op, std::string_view operation, const std::string& path) {
  SimCall call{op, path, 0};
  Call begun{operation, path, SimFault::kNone, 0};
  std::shared_ptr<const SimHook> hook;
  std::shared_ptr<const SimFaultInjector> injector;
  {
    base::MutexLock lock(mutex);
    call.number = ++call_count_;
    ++call_counts_[static_cast<size_t>(op)];
    begun.epoch = epoch_;
    if (IsMutation(op)) hook = hook_;
    injector = injector_;
  }
  if (hook != nullptr) (*hook)(call);
  {
    base::MutexLock lock(mutex);
    begun.fault = PlannedFault(call);
  }
  if (begun.fault == SimFault::kNone && injector != nullptr) begun.fault = (*injector)(call);
  return begun;
}

absl::Status SimCore::Refusal(const Call& call, uint64_t epoch) const {
  if (call.epoch != epoch_ || epoch != epoch_) {
    return absl::InternalError(
        base::StrCat(call.operation, " ", call.path, ": the machine has gone down"));
  }
  switch (call.fault) {
    case SimFault::kNone:
      return absl::OkStatus();
    case SimFault::kNoSpace:
      return PosixError(ENOSPC, call.operation, call.path);
    case SimFault::kIoError:
    case SimFault::kShortWrite:
      break;
  }
  return PosixError(EIO, call.operation, call.path);
}

SimFault SimCore::PlannedFault(const SimCall& call) {
  for (Plan& plan : plans_) {
    if (plan.times == 0) continue;
    const bool applies = plan.number != 0 ? plan.number == call.number
                                          : plan.op == call.op && call.path.find(plan.path_part) !=
                                                                      std::string_view::npos;
    if (!applies) continue;
    --plan.times;
    return plan.fault;
  }
  return SimFault::kNone;
}

void SimCore::Restart(SimTree tree) {
  tree_ = std::move(tree);
  ++epoch_;
}

void SimCore::SetHook(SimHook hook) {
  auto shared = hook ? std::make_shared<const SimHook>(std::move(hook)) : nullptr;
  base::MutexLock lock(mutex);
  hook_.swap(shared);
}

void SimCore::SetInjector(SimFaultInjector injector) {
  auto shared = injector ? std::make_shared<const SimFaultInjector>(std::move(injector)) : nullptr;
  base::MutexLock lock(mutex);
  injector_.swap(shared);
}

void SimCore::FailCall(uint64_t number, SimFault fault) {
  base::MutexLock lock(mutex);
  plans_.push_back({number, SimOp::kOpen, "", fault, 1});
}

void SimCore::FailNext(SimOp op, std::string path_part, SimFault fault, int times) {
  base::MutexLock lock(mutex);
  plans_.push_back({0, op, std::move(path_part), fault, times});
}

void SimCore::ClearFaults() {
  SetInjector(nullptr);
  base::MutexLock lock(mutex);
  plans_.clear();
}

uint64_t SimCore::call_count() const {
  base::MutexLock lock(mutex);
  return call_count_;
}

uint64_t SimCore::call_count(SimOp op) const {
  base::MutexLock lock(mutex);
  return call_counts_[static_cast<size_t>(op)];
}

}  // namespace cairn::env
