// What the RPC layer costs, over loopback against a forked server on this machine: each method with
// one and with many requests in flight, streams, and consuming in every mode. "bare" is a server
// that only answers, "bare-tls" the same with certificates on both sides.
//
//   rpc_bench [--seconds S] [--only SUBSTRING] [--data-dir DIR]
//
// Prints per case: operations (and records) per second, p50 and p99 of the latency of one
// operation, and the processor time that server and client used per operation. Acknowledged means
// on disk, as always.
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <fstream>
#include <functional>
#include <future>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "env/temporary_directory.h"
#include "log/records.h"
#include "log/v1/log.grpc.pb.h"
#include "security/tls/certificate_authority.h"
#include "server/process_tuning.h"
#include "server/server.h"

namespace cairn::server {
namespace {

using Clock = std::chrono::steady_clock;
using logapi::v1::ConsumeRequest;
using logapi::v1::ConsumeResponse;
using logapi::v1::Log;
using logapi::v1::ProduceRequest;
using logapi::v1::ProduceResponse;

constexpr size_t kValueBytes = 100;
constexpr int kBatchRecords = 1000;

double g_seconds = 3;
std::string g_only;
pid_t g_server = 0;

// User and system time of the server process so far, in seconds, from /proc/PID/stat fields 14
// and 15.
double ServerCpuSeconds() {
  std::ifstream stat("/proc/" + std::to_string(g_server) + "/stat");
  std::string word;
  double ticks = 0;
  for (int field = 1; field <= 15 && stat >> word; ++field) {
    if (field >= 14) ticks += std::atof(word.c_str());
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double OwnCpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

struct Outcome {
  uint64_t operations = 0;
  uint64_t records = 0;
  std::vector<double> latencies_us;  // may be empty
};

void Report(const std::string& name, const std::function<Outcome()>& run) {
  if (name.find(g_only) == std::string::npos) return;
  const double server_before = ServerCpuSeconds();
  const double own_before = OwnCpuSeconds();
  const auto begin = Clock::now();
  Outcome outcome = run();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const double server_cpu = ServerCpuSeconds() - server_before;
  const double own_cpu = OwnCpuSeconds() - own_before;
  std::sort(outcome.latencies_us.begin(), outcome.latencies_us.end());
  const auto percentile = [&](double p) {
    if (outcome.latencies_us.empty()) return 0.0;
    return outcome.latencies_us[static_cast<size_t>(
        p * static_cast<double>(outcome.latencies_us.size() - 1))];
  };
  const auto operations = static_cast<double>(std::max<uint64_t>(1, outcome.operations));
  std::printf(
      "%-34s %10.0f op/s %11.0f rec/s   p50 %8.0f us  p99 %8.0f us   cpu/op server %7.1f us client "
      "%7.1f us\n",
      name.c_str(), operations / seconds, static_cast<double>(outcome.records) / seconds,
      percentile(0.5), percentile(0.99), server_cpu / operations * 1e6, own_cpu / operations * 1e6);
  std::fflush(stdout);
}

double MicrosSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

// Keeps `in_flight` calls of one unary method going until the time is over.
template <typename Request, typename Response>
class UnaryLoad {
 public:
  using Start = std::function<void(grpc::ClientContext*, const Request*, Response*,
                                   std::function<void(grpc::Status)>)>;

  UnaryLoad(Start start, Request request)
      : start_(std::move(start)), request_(std::move(request)) {}

  Outcome Run(int in_flight) {
    end_ = Clock::now() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(g_seconds));
    active_ = in_flight;
    for (int i = 0; i < in_flight; ++i) Next();
    done_.get_future().wait();
    outcome_.operations = outcome_.records = outcome_.latencies_us.size();
    return std::move(outcome_);
  }

 private:
  struct Call {
    grpc::ClientContext context;
    Response response;
    Clock::time_point begin = Clock::now();
  };

  void Next() {
    auto* call = new Call;
    start_(&call->context, &request_, &call->response, [this, call](grpc::Status status) {
      if (!status.ok()) {
        std::fprintf(stderr, "failed: %s\n", status.error_message().c_str());
        std::exit(1);
      }
      {
        const std::lock_guard lock(mutex_);
        outcome_.latencies_us.push_back(MicrosSince(call->begin));
      }
      delete call;
      if (Clock::now() < end_) return Next();
      if (--active_ == 0) done_.set_value();
    });
  }

  Start start_;
  Request request_;
  Clock::time_point end_;
  std::atomic<int> active_{0};
  std::promise<void> done_;
  std::mutex mutex_;
  Outcome outcome_;
};

// One ProduceStream with up to `in_flight` requests unanswered. As a program that has much to send
// would, it sends a quarter of them in one piece.
class StreamLoad final : public grpc::ClientBidiReactor<ProduceRequest, ProduceResponse> {
 public:
  StreamLoad(Log::Stub& stub, ProduceRequest request, size_t in_flight,
             uint64_t records_per_request)
      : request_(std::move(request)),
        in_flight_(in_flight),
        records_per_request_(records_per_request) {
    end_ = Clock::now() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(g_seconds));
    stub.async()->ProduceStream(&context_, this);
    AddHold();  // writes start from OnReadDone, too
    StartCall();
    StartRead(&response_);
    Write();
  }

  Outcome Wait() {
    done_.get_future().wait();
    return std::move(outcome_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return;
    const std::lock_guard lock(mutex_);
    writing_ = false;
    WriteLocked();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      const std::lock_guard lock(mutex_);
      outcome_.latencies_us.push_back(MicrosSince(begun_.front()));
      begun_.pop_front();
      ++outcome_.operations;
      outcome_.records += records_per_request_;
      WriteLocked();
    }
    StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    if (!status.ok()) std::fprintf(stderr, "stream failed: %s\n", status.error_message().c_str());
    done_.set_value();
  }

 private:
  void Write() {
    const std::lock_guard lock(mutex_);
    WriteLocked();
  }

  // gRPC 1.51 never calls back from within StartWrite, so the lock may be held.
  void WriteLocked() {
    const size_t room = in_flight_ - begun_.size();
    if (writing_ || ended_ || room == 0) return;
    if (!in_burst_ && room < in_flight_ / 4) return;
    if (Clock::now() >= end_) {
      ended_ = true;
      StartWritesDone();
      RemoveHold();
      return;
    }
    writing_ = true;
    begun_.push_back(Clock::now());
    grpc::WriteOptions options;
    in_burst_ = room > 1;
    if (in_burst_) options.set_buffer_hint();
    StartWrite(&request_, options);
  }

  grpc::ClientContext context_;
  ProduceRequest request_;
  ProduceResponse response_;
  const size_t in_flight_;
  const uint64_t records_per_request_;
  Clock::time_point end_;
  std::mutex mutex_;
  bool writing_ = false;
  bool in_burst_ = false;
  bool ended_ = false;
  std::deque<Clock::time_point> begun_;
  Outcome outcome_;
  std::promise<void> done_;
};

// Reads a topic from the start to its end, again and again.
Outcome ConsumeLoad(Log::Stub& stub, ConsumeRequest request) {
  Outcome outcome;
  const auto begin = Clock::now();
  request.set_stop_at_end(true);
  ConsumeResponse response;
  while (MicrosSince(begin) < g_seconds * 1e6) {
    grpc::ClientContext context;
    auto stream = stub.ConsumeStream(&context, request);
    while (stream->Read(&response)) {
      ++outcome.operations;
      outcome.records +=
          (response.has_record() ? 1 : 0) + static_cast<uint64_t>(response.records_size());
      for (const auto& batch : response.batches()) outcome.records += batch.record_count();
    }
    const grpc::Status status = stream->Finish();
    if (!status.ok()) std::fprintf(stderr, "consume failed: %s\n", status.error_message().c_str());
  }
  return outcome;
}

// The floor: a server whose methods answer at once, with gRPC's callback API and nothing else.
class BareStream final : public grpc::ServerBidiReactor<ProduceRequest, ProduceResponse> {
 public:
  BareStream() { StartRead(&request_); }
  void OnReadDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    if (ok) {
      ++unanswered_;
      StartRead(&request_);
    } else {
      ended_ = true;
    }
    Advance();
  }
  void OnWriteDone(bool) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    written_ = true;
    Advance();
  }
  void OnDone() override { delete this; }

 private:
  void Advance() {
    if (writing_) return;
    if (unanswered_ > 0) {
      --unanswered_;
      writing_ = true;
      grpc::WriteOptions options;
      if (written_ && unanswered_ > 0) options.set_buffer_hint();
      StartWrite(&response_, options);
    } else if (ended_) {
      Finish(grpc::Status::OK);
    }
  }

  std::mutex mutex_;
  ProduceRequest request_;
  ProduceResponse response_;
  uint64_t unanswered_ = 0;
  bool writing_ = false;
  bool written_ = false;
  bool ended_ = false;
};

class BareService final : public Log::CallbackService {
 public:
  grpc::ServerUnaryReactor* Produce(grpc::CallbackServerContext* call, const ProduceRequest*,
                                    ProduceResponse*) override {
    auto* reactor = call->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerBidiReactor<ProduceRequest, ProduceResponse>* ProduceStream(
      grpc::CallbackServerContext*) override {
    return new BareStream;
  }
};

ProduceRequest SingleRecord() {
  ProduceRequest request;
  request.mutable_record()->set_value(std::string(kValueBytes, 'x'));
  return request;
}

ProduceRequest ReadyBatch(int records) {
  log::BatchBuilder builder;
  const std::string value(kValueBytes, 'x');
  for (int i = 0; i < records; ++i) builder.Add(std::nullopt, value, 1);
  const log::Batch batch = builder.Take();
  ProduceRequest request;
  auto& to = *request.mutable_batch();
  to.set_records(batch.records);
  to.set_record_count(batch.record_count);
  to.set_base_timestamp_ms(batch.base_timestamp_ms);
  to.set_max_timestamp_ms(batch.max_timestamp_ms);
  return request;
}

std::unique_ptr<Log::Stub> Connect(const std::string& address,
                                   const std::shared_ptr<grpc::ChannelCredentials>& credentials =
                                       grpc::InsecureChannelCredentials()) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return Log::NewStub(grpc::CreateCustomChannel(address, credentials, arguments));
}

// One certificate for both sides.
struct Identity {
  security::PemPair authority;
  security::PemPair own;
};
Identity MakeIdentity() {
  const int64_t now_s = std::time(nullptr);
  Identity identity;
  identity.authority =
      security::MakeAuthority("bench authority", now_s - 3600, now_s + 3600).value();
  identity.own = security::IssueCertificate(identity.authority, {.common_name = "bench",
                                                                 .hosts = {"127.0.0.1"},
                                                                 .server = true,
                                                                 .not_before_s = now_s - 3600,
                                                                 .not_after_s = now_s + 3600})
                     .value();
  return identity;
}
std::shared_ptr<grpc::ChannelCredentials> ClientSide(const Identity& identity) {
  return grpc::SslCredentials({.pem_root_certs = identity.authority.certificate,
                               .pem_private_key = identity.own.key,
                               .pem_cert_chain = identity.own.certificate});
}
std::shared_ptr<grpc::ServerCredentials> ServerSide(const Identity& identity) {
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = identity.authority.certificate;
  options.pem_key_cert_pairs.push_back({identity.own.key, identity.own.certificate});
  return grpc::SslServerCredentials(options);
}

void RunProduceCases(const std::string& who, Log::Stub& stub) {
  for (const int in_flight : {1, 64}) {
    Report(who + " produce unary 100 B x" + std::to_string(in_flight), [&] {
      return UnaryLoad<ProduceRequest, ProduceResponse>(
                 [&](auto* c, auto* q, auto* a, auto done) {
                   stub.async()->Produce(c, q, a, done);
                 },
                 SingleRecord())
          .Run(in_flight);
    });
  }
  for (const size_t in_flight : {size_t{1}, size_t{64}, size_t{512}}) {
    Report(who + " produce stream 100 B x" + std::to_string(in_flight),
           [&] { return StreamLoad(stub, SingleRecord(), in_flight, 1).Wait(); });
  }
  Report(who + " produce stream 1000 x 100 B x8",
         [&] { return StreamLoad(stub, ReadyBatch(kBatchRecords), 8, kBatchRecords).Wait(); });
  Report(who + " produce stream 8000 x 100 B x4", [&] {
    return StreamLoad(stub, ReadyBatch(8 * kBatchRecords), 4, 8 * kBatchRecords).Wait();
  });
}

struct Addresses {
  std::string cairn;
  std::string bare;
  std::string bare_tls;
};

void RunCases(const Addresses& addresses, const Identity& identity) {
  const auto stub = Connect(addresses.cairn);
  const auto bare = Connect(addresses.bare);
  const auto bare_tls = Connect(addresses.bare_tls, ClientSide(identity));
  for (const int in_flight : {1, 64}) {
    const std::string suffix = " x" + std::to_string(in_flight);
    Report("empty unary (GetServers)" + suffix, [&] {
      return UnaryLoad<logapi::v1::GetServersRequest, logapi::v1::GetServersResponse>(
                 [&](auto* c, auto* q, auto* a, auto done) {
                   stub->async()->GetServers(c, q, a, done);
                 },
                 {})
          .Run(in_flight);
    });
  }
  RunProduceCases("bare", *bare);
  RunProduceCases("bare-tls", *bare_tls);
  RunProduceCases("cairn", *stub);

  if (std::string("consume").find(g_only.substr(0, 7)) == std::string::npos && !g_only.empty())
    return;
  std::printf("(consume: filling)\n");
  {
    grpc::ClientContext context;
    auto stream = stub->ProduceStream(&context);
    ProduceRequest batch = ReadyBatch(kBatchRecords);
    std::thread writer([&] {
      for (int i = 0; i < 2000; ++i) stream->Write(batch);
      stream->WritesDone();
    });
    ProduceResponse response;
    while (stream->Read(&response)) {
    }
    writer.join();
    (void)stream->Finish();
  }
  ConsumeRequest request;
  {  // from the first of the batches just written on
    ConsumeRequest end;
    end.set_as_batches(true);
    end.set_start(logapi::v1::START_POSITION_LATEST);
    grpc::ClientContext context;
    ConsumeResponse response;
    (void)stub->Consume(&context, end, &response);
    request.set_offset(response.high_watermark() - uint64_t{2000} * kBatchRecords);
  }
  request.set_as_batches(true);
  Report("consume batches", [&] { return ConsumeLoad(*stub, request); });
  request.set_max_bytes(256 << 10);
  Report("consume batches, 256 KiB responses", [&] { return ConsumeLoad(*stub, request); });
  request.set_max_bytes(0);
  request.set_as_batches(false);
  request.set_max_records(1000);
  Report("consume 1000 records a response", [&] { return ConsumeLoad(*stub, request); });
  request.set_max_records(0);
  Report("consume single records", [&] { return ConsumeLoad(*stub, request); });
}

// In the child: serves until killed. Writes its addresses to `to_parent`.
void Serve(const std::string& data_dir, const Identity& identity, int to_parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto logger =
      Logger::ToDescriptor(STDERR_FILENO, {.levels = LogLevel::kWarn, .format = LogFormat::kText});
  ServerConfig config;
  config.data_dir = data_dir;
  config.rpc_port = 0;
  config.bind_addr = "127.0.0.1:0";
  auto server = Server::Start(config, *logger);
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
    _exit(1);
  }
  grpc::ServerBuilder builder;
  BareService bare;
  int bare_port = 0;
  int bare_tls_port = 0;
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(&bare);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &bare_port);
  builder.AddListeningPort("127.0.0.1:0", ServerSide(identity), &bare_tls_port);
  const auto bare_server = builder.BuildAndStart();
  const std::string line = (*server)->address() + " 127.0.0.1:" + std::to_string(bare_port) +
                           " 127.0.0.1:" + std::to_string(bare_tls_port) + "\n";
  if (write(to_parent, line.data(), line.size()) < 0) _exit(1);
  pause();
}

int Main(int argc, char** argv) {
  const env::TemporaryDirectory directory;
  std::string data_dir = directory.path() + "/data";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--seconds") g_seconds = std::atof(argv[i + 1]);
    if (flag == "--only") g_only = argv[i + 1];
    if (flag == "--data-dir") data_dir = argv[i + 1];
  }
  const Identity identity = MakeIdentity();
  int channel[2];
  if (pipe(channel) != 0) return 1;
  g_server = fork();  // before gRPC has started a thread
  if (g_server == 0) Serve(data_dir, identity, channel[1]);
  close(channel[1]);
  TuneProcess();
  char line[128] = {};
  if (read(channel[0], line, sizeof(line) - 1) <= 0) return 1;
  Addresses addresses;
  std::istringstream(line) >> addresses.cairn >> addresses.bare >> addresses.bare_tls;
  RunCases(addresses, identity);
  kill(g_server, SIGKILL);
  waitpid(g_server, nullptr, 0);
  return 0;
}

}  // namespace
}  // namespace cairn::server

int main(int argc, char** argv) { return cairn::server::Main(argc, argv); }
