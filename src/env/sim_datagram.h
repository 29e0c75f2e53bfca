// A socket for datagrams in the simulated network. Internal to env: SimNetwork decides what
// arrives.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "env/datagram.h"
#include "env/executor.h"

namespace cairn::env {

class SimDatagramSocket final : public DatagramSocket {
 public:
  // Datagrams that wait for a Receive; more are lost, as in a kernel's buffer.
  static constexpr size_t kMaxWaiting = 1024;

  struct Fabric {
    std::function<void(Executor::Task)> post;  // on the host
    std::function<void(const std::string& to, std::string_view bytes)> send;
    std::function<void()> closed;
  };

  SimDatagramSocket(std::string address, Fabric fabric)
      : address_(std::move(address)), fabric_(std::move(fabric)) {}
  ~SimDatagramSocket() override { SimDatagramSocket::Close(); }
  SimDatagramSocket(const SimDatagramSocket&) = delete;
  SimDatagramSocket& operator=(const SimDatagramSocket&) = delete;

  void Receive(std::span<char> into, ReceiveCallback done) override;
  void Send(const std::string& to, std::string_view bytes) override;
  void Close() override;
  const std::string& local_address() const override { return address_; }

  // One has arrived.
  void Deliver(std::string from, std::string bytes);

 private:
  void Finish();

  const std::string address_;
  const Fabric fabric_;
  bool closed_ = false;
  std::span<char> into_;
  ReceiveCallback done_;
  std::deque<std::pair<std::string, std::string>> waiting_;  // from, bytes
};

}  // namespace cairn::env
