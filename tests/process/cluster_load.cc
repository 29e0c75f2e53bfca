#include "process/cluster_load.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "process/await.h"
#include "process/node_client.h"

namespace cairn::testing {
namespace {

using logapi::v1::ProduceRequest;
using logapi::v1::ProduceResponse;
using std::chrono::milliseconds;

// Requests without an answer on a stream; each has its own entry in the log.
constexpr uint64_t kInFlight = 16;
// Between two tries: nodes need time to elect, and the machine is small.
constexpr milliseconds kPause{10};

void Pause() { std::this_thread::sleep_for(kPause); }

ProduceRequest MakeRequest(const std::string& topic, int64_t producer_id, int producer,
                           uint64_t first, int records) {
  ProduceRequest request;
  request.set_topic(topic);
  for (int i = 0; i < records; ++i) {
    request.add_records()->set_value(NumberedValue(producer, first + static_cast<uint64_t>(i)));
  }
  request.mutable_producer()->set_id(producer_id);
  request.mutable_producer()->set_base_sequence(static_cast<int32_t>(first));
  return request;
}

}  // namespace

ClusterLoad::ClusterLoad(LoadOptions options, History& history)
    : options_(std::move(options)), history_(history) {
  running_ = options_.producers;
  for (int i = 0; i < options_.producers; ++i) {
    const int producer = options_.first_producer + i;
    threads_.emplace_back([this, producer] {
      producer % 2 == 0 ? RunUnary(producer) : RunStream(producer);
      --running_;
    });
  }
  for (size_t node = 0; node < options_.addresses.size(); ++node) {
    threads_.emplace_back([this, node] { RunReader(node); });
  }
}

ClusterLoad::~ClusterLoad() {
  stop_ = true;
  give_up_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void ClusterLoad::AwaitAcknowledged(size_t count) {
  const size_t wanted = history_.acknowledged() + count;
  EXPECT_TRUE(Await([&] { return history_.acknowledged() >= wanted; }))
      << "nothing is acknowledged any more: " << wanted - history_.acknowledged() << " of " << count
      << " are missing";
}

void ClusterLoad::Finish() {
  stop_ = true;
  EXPECT_TRUE(Await([&] { return running_ == 0; })) << "a producer waits for an answer for ever";
  give_up_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool ClusterLoad::MayRetry(int producer, const std::string& what, int code) {
  if (code == grpc::UNAVAILABLE || code == grpc::DEADLINE_EXCEEDED || code == grpc::CANCELLED) {
    return true;
  }
  history_.Fault("producer " + std::to_string(producer) + " was told " + std::to_string(code) +
                 ": " + what);
  return false;
}

int64_t ClusterLoad::AllocateProducerId(int producer) {
  for (size_t node = static_cast<size_t>(producer); !give_up_; ++node) {
    NodeClient client(options_.addresses[node % options_.addresses.size()]);
    if (const auto id = client.AllocateProducerId(); id.ok()) return *id;
    Pause();
  }
  return 0;
}

void ClusterLoad::RunUnary(int producer) {
  const int64_t id = AllocateProducerId(producer);
  std::vector<std::unique_ptr<NodeClient>> nodes;
  for (const std::string& address : options_.addresses) {
    nodes.push_back(std::make_unique<NodeClient>(address));
  }
  size_t node = static_cast<size_t>(producer);
  uint64_t next = 0;
  while (!stop_) {
    const int records = 1 + static_cast<int>(next % 3);
    for (int i = 0; i < records; ++i) history_.Append(producer, next + static_cast<uint64_t>(i));
    const ProduceRequest request = MakeRequest(options_.topic, id, producer, next, records);
    while (true) {
      const auto answer =
          nodes[node % nodes.size()]->Produce(request, milliseconds(options_.timeout_ms));
      if (answer.ok()) {
        for (uint64_t i = 0; i < static_cast<uint64_t>(records); ++i) {
          history_.Acknowledge(producer, next + i, answer->offset() + i);
        }
        break;
      }
      if (!MayRetry(producer, std::string(answer.status().message()),
                    static_cast<int>(answer.status().code())) ||
          give_up_) {
        return;
      }
      ++node;
      Pause();
    }
    next += static_cast<uint64_t>(records);
  }
}

void ClusterLoad::RunStream(int producer) {
  const int64_t id = AllocateProducerId(producer);
  uint64_t answered = 0;  // records [0, answered) are acknowledged
  uint64_t begun = 0;     // records [0, begun) may be stored
  for (size_t node = static_cast<size_t>(producer); !give_up_; ++node) {
    NodeClient client(options_.addresses[node % options_.addresses.size()]);
    grpc::ClientContext context;
    const auto deadline = [&] {
      return std::chrono::system_clock::now() + milliseconds(options_.timeout_ms);
    };
    // The stream ends by itself now and then, so a silent node is left in time.
    context.set_deadline(deadline());
    const auto stream = client.log().ProduceStream(&context);
    uint64_t sent = answered;
    bool alive = true;
    while (alive && (!stop_ || answered < begun)) {
      while (alive && sent < answered + kInFlight && (sent < begun || !stop_)) {
        if (sent == begun) history_.Append(producer, begun++);
        alive = stream->Write(MakeRequest(options_.topic, id, producer, sent, 1));
        ++sent;
      }
      ProduceResponse response;
      if (!alive || sent == answered || !stream->Read(&response)) break;
      history_.Acknowledge(producer, answered++, response.offset());
    }
    if (stop_ && answered == begun) {
      stream->WritesDone();
      context.TryCancel();
      stream->Finish();
      return;
    }
    context.TryCancel();  // of no effect when it ended by itself
    const grpc::Status status = stream->Finish();
    if (!status.ok() && !MayRetry(producer, status.error_message(), status.error_code())) return;
    if (status.error_code() != grpc::DEADLINE_EXCEEDED) Pause();
  }
}

void ClusterLoad::RunReader(size_t node) {
  NodeClient client(options_.addresses[node]);
  uint64_t next = 0;
  while (!give_up_) {
    const auto answer = client.Consume(options_.topic, next, 200);
    if (answer.ok()) {
      for (const logapi::v1::Record& record : answer->records()) {
        history_.Read(options_.addresses[node], record.offset(), record.value());
        next = record.offset() + 1;
      }
      if (!answer->records().empty()) continue;
    }
    Pause();
  }
}

}  // namespace cairn::testing
