#include "server/console/records_endpoint.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "server/console/json_answer.h"

namespace cairn::server {
namespace {

// What is read for one answer, about: a few milliseconds of the disk.
constexpr size_t kMaxReadBytes = 4 << 20;

}  // namespace

struct RecordsEndpoint::Poll {
  http::Request request;
  http::RouteTable::Respond respond;
  int64_t start_ns = 0;
  // What Admit has found.
  RecordsQuery query;
  uint64_t guard_version = 0;
  std::shared_ptr<broker::Partition> partition;
  bool counted = false;  // in admitted_

  // On the executor.
  Offset from;
  bool finished = false;
  bool waiting = false;  // under `wait` and `timer`
  broker::Partition::WaitId wait = 0;
  env::Executor::TimerId timer = 0;
};

RecordsEndpoint::RecordsEndpoint(Dependencies dependencies) : dependencies_(dependencies) {}

RecordsEndpoint::~RecordsEndpoint() = default;

void RecordsEndpoint::AddTo(http::RouteTable& routes) {
  routes.AddWaiting(
      "GET", "/records.json",
      [self = shared_from_this()](const http::Request& request, http::RouteTable::Respond respond) {
        return self->Ask(request, std::move(respond));
      });
}

http::RouteTable::Abandon RecordsEndpoint::Ask(const http::Request& request,
                                               http::RouteTable::Respond respond) {
  auto poll = std::make_shared<Poll>();
  poll->request = request;
  poll->respond = std::move(respond);
  poll->start_ns = dependencies_.clock->MonotonicNs();
  const absl::Status admitted = Admit(*poll);
  if (!admitted.ok()) {
    if (poll->counted) --admitted_;
    Report(*poll, admitted);
    poll->respond(JsonError(admitted));
    return [] {};
  }
  env::Executor& executor = *dependencies_.executor;
  executor.Post([self = shared_from_this(), poll] { self->Begin(poll); });
  return [self = shared_from_this(), poll] {
    self->dependencies_.executor->Post(
        [self, poll] { self->Release(poll, absl::CancelledError("the client went away")); });
  };
}

absl::Status RecordsEndpoint::Admit(Poll& poll) {
  CAIRN_RETURN_IF_ERROR(dependencies_.guard.CheckIdentity(poll.request));
  if (dependencies_.own_hosts != nullptr) {
    CAIRN_RETURN_IF_ERROR(dependencies_.own_hosts->Check(poll.request.host));
  }
  CAIRN_ASSIGN_OR_RETURN(poll.query, RecordsQuery::Parse(poll.request.query));
  poll.guard_version = dependencies_.guard.version();
  CAIRN_RETURN_IF_ERROR(dependencies_.guard.Check(poll.request, security::Action::kConsume,
                                                  {.topic = poll.query.topic}));
  CAIRN_ASSIGN_OR_RETURN(
      poll.partition, dependencies_.broker->FindPartition(poll.query.topic, poll.query.partition));
  // Given back by Release.
  poll.counted = true;
  if (++admitted_ <= kMaxPolls) return absl::OkStatus();
  return base::MakeError(absl::StatusCode::kResourceExhausted,
                         base::StrCat("more than ", kMaxPolls, " requests for records are waiting"),
                         base::reason::kOverloaded);
}

void RecordsEndpoint::Begin(const PollPtr& poll) {
  if (poll->finished) return;
  if (stopped_) return Finish(poll, ShuttingDown());
  polls_.insert(poll);
  switch (poll->query.from) {
    case RecordsFrom::kOffset:
      poll->from = poll->query.offset;
      break;
    case RecordsFrom::kEarliest:
      poll->from = poll->partition->log_start();
      break;
    case RecordsFrom::kLatest:
      poll->from = poll->partition->high_watermark();
      break;
  }
  Read(poll);
}

void RecordsEndpoint::Read(const PollPtr& poll) {
  RecordsWriter writer(poll->query, poll->from);
  const absl::Status status = ReadInto(writer, *poll);
  if (!status.ok()) return Finish(poll, status);
  const int64_t waited_ns = dependencies_.clock->MonotonicNs() - poll->start_ns;
  if (writer.records() == 0 && waited_ns < poll->query.wait_ns) return Wait(poll);
  poll->partition->CountConsumed(writer.records(), writer.bytes());
  Finish(poll, absl::OkStatus(), writer.Json());
}

// More than once, because values that will be cut may be many times what is shown of them.
absl::Status RecordsEndpoint::ReadInto(RecordsWriter& writer, const Poll& poll) {
  size_t read_bytes = 0;
  while (true) {
    CAIRN_ASSIGN_OR_RETURN(const broker::FetchResult fetched,
                           poll.partition->Fetch(writer.next(), poll.query.max_bytes));
    CAIRN_RETURN_IF_ERROR(writer.Add(fetched));
    for (const log::Entry& entry : fetched.entries) read_bytes += entry.size_bytes();
    if (fetched.entries.empty() || writer.full() || writer.next() >= fetched.high_watermark ||
        read_bytes >= kMaxReadBytes) {
      return absl::OkStatus();
    }
  }
}

void RecordsEndpoint::Wait(const PollPtr& poll) {
  const int64_t waited_ns = dependencies_.clock->MonotonicNs() - poll->start_ns;
  poll->waiting = true;
  poll->wait = poll->partition->WaitForData(
      poll->from, [self = shared_from_this(), poll](absl::Status status) {
        self->dependencies_.executor->Post(
            [self, poll, status = std::move(status)] { self->OnData(poll, status); });
      });
  poll->timer = dependencies_.executor->PostAfter(
      std::max<int64_t>(poll->query.wait_ns - waited_ns, 0), [self = shared_from_this(), poll] {
        if (!poll->waiting) return;
        // Read once more, for the answer without records: its time is over.
        poll->partition->CancelWait(poll->wait);
        self->OnData(poll, absl::OkStatus());
      });
}

void RecordsEndpoint::OnData(const PollPtr& poll, const absl::Status& status) {
  // What was cancelled was so by us.
  if (poll->finished || absl::IsCancelled(status)) return;
  poll->waiting = false;
  dependencies_.executor->Cancel(poll->timer);
  if (!status.ok()) return Finish(poll, status);
  const HttpGuard& guard = dependencies_.guard;
  if (guard.version() != poll->guard_version) {
    poll->guard_version = guard.version();
    const absl::Status may =
        guard.Check(poll->request, security::Action::kConsume, {.topic = poll->query.topic});
    if (!may.ok()) return Finish(poll, may);
  }
  Read(poll);
}

void RecordsEndpoint::Finish(const PollPtr& poll, const absl::Status& status, std::string json) {
  if (poll->finished) return;
  auto respond = std::move(poll->respond);
  Release(poll, status);
  respond(status.ok() ? JsonAnswer(std::move(json)) : JsonError(status));
}

void RecordsEndpoint::Release(const PollPtr& poll, const absl::Status& status) {
  if (std::exchange(poll->finished, true)) return;
  --admitted_;
  if (std::exchange(poll->waiting, false)) {
    poll->partition->CancelWait(poll->wait);
    dependencies_.executor->Cancel(poll->timer);
  }
  poll->partition = nullptr;
  polls_.erase(poll);
  Report(*poll, status);
}

void RecordsEndpoint::Report(const Poll& poll, const absl::Status& status) const {
  rpc::RpcObserver& observer = *dependencies_.observer;
  if (!observer.WantsRpc(status.code())) return;
  observer.OnRpc({.method = "GET /records.json",
                  .peer = poll.request.address,
                  .subject = poll.request.subject,
                  .topic = poll.query.topic,
                  .partition = poll.query.partition.value(),
                  .status = status,
                  .duration_ns = dependencies_.clock->MonotonicNs() - poll.start_ns,
                  .requests = 1,
                  .responses = status.ok() ? 1u : 0u});
}

void RecordsEndpoint::Stop(absl::AnyInvocable<void()> done) {
  dependencies_.executor->Post([self = shared_from_this(), done = std::move(done)]() mutable {
    self->stopped_ = true;
    while (!self->polls_.empty()) {
      const PollPtr poll = *self->polls_.begin();
      self->Finish(poll, ShuttingDown());
    }
    done();
  });
}

}  // namespace cairn::server
