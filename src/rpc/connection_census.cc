#include "rpc/connection_census.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "env/host_port.h"
#include "rpc/limits.h"

namespace cairn::rpc {
namespace {

// Without the port; the whole text where it is no address ("unknown": reset before it was
// accepted).
std::string HostOf(std::string_view peer_address) {
  auto parsed = env::ParseHostPort(peer_address);
  return parsed.ok() ? std::move(parsed->host) : std::string(peer_address);
}

// Whom a limit counts as one: an IPv4 address, or a network of IPv6 with a prefix of 64 bits, which
// is what one host or one customer is given (RFC 6177, RFC 7421).
std::string OriginOf(std::string_view peer_address) {
  std::string host = HostOf(peer_address);
  in6_addr address{};
  if (inet_pton(AF_INET6, host.c_str(), &address) != 1 || IN6_IS_ADDR_V4MAPPED(&address)) {
    return host;
  }
  return std::string(reinterpret_cast<const char*>(&address), sizeof(address) / 2);
}

// Visits up to kCensusLooks elements of the ordered container, beginning behind the key `last` and
// going round, until `found` says true. `last` becomes the key of the last one visited.
template <typename Container, typename KeyOf, typename Found>
typename Container::iterator FindFrom(Container& container, int& last, KeyOf key_of, Found found) {
  auto at = container.upper_bound(last);
  for (size_t looks = std::min(container.size(), kCensusLooks); looks > 0; --looks, ++at) {
    if (at == container.end()) at = container.begin();
    last = key_of(*at);
    if (found(*at)) return at;
  }
  return container.end();
}

}  // namespace

// Forwards everything, and gives the place back.
class ConnectionCensus::HeldConnection final : public env::Connection {
 public:
  HeldConnection(std::unique_ptr<env::Connection> connection, Place place)
      : place_(std::move(place)), connection_(std::move(connection)) {}

  void Read(std::span<char> into, ReadCallback done) override {
    connection_->Read(into, std::move(done));
  }
  using env::Connection::Write;
  void Write(std::vector<env::Slice> data, WriteCallback done) override {
    connection_->Write(std::move(data), std::move(done));
  }
  void Close() override {
    connection_->Close();
    place_.Release();
  }
  const std::string& peer_address() const override { return connection_->peer_address(); }
  std::optional<int> ReleaseDescriptor() override {
    const std::optional<int> descriptor = connection_->ReleaseDescriptor();
    Place place = std::move(place_);
    const std::shared_ptr<ConnectionCensus> census = place.census_;
    if (descriptor && census != nullptr) census->Watch(*descriptor, std::move(place));
    return descriptor;
  }

 private:
  Place place_;  // above: it is given back when the descriptor is closed
  const std::unique_ptr<env::Connection> connection_;
};

ConnectionCensus::Place& ConnectionCensus::Place::operator=(Place&& other) noexcept {
  if (this == &other) return *this;
  Release();
  census_ = std::exchange(other.census_, nullptr);
  address_ = std::move(other.address_);
  kind_ = other.kind_;
  return *this;
}

void ConnectionCensus::Place::Release() {
  if (const auto census = std::exchange(census_, nullptr)) census->Leave(address_, kind_);
}

size_t& ConnectionCensus::Address::of(Place::Kind kind) {
  return kind == Place::Kind::kUndecided ? undecided
         : kind == Place::Kind::kClient  ? clients
                                         : peers;
}

std::shared_ptr<ConnectionCensus> ConnectionCensus::New(ConnectionLimits limits) {
  return std::shared_ptr<ConnectionCensus>(new ConnectionCensus(limits));
}

ConnectionCensus::Verdict ConnectionCensus::Enter(std::string_view peer_address, Place& place) {
  CAIRN_CHECK(place.census_ == nullptr, "a connection has one place");
  std::string host = OriginOf(peer_address);
  base::MutexLock lock(mutex_);
  if (limits_.total > 0 && total_ >= limits_.total && !DropOneOfAll()) return Verdict::kTooMany;
  Address& address = addresses_[host];
  if (limits_.per_address > 0 && address.undecided >= limits_.per_address) {
    return Verdict::kTooManyFromAddress;
  }
  ++address.undecided;
  ++total_;
  place.census_ = shared_from_this();
  place.address_ = std::move(host);
  place.kind_ = Place::Kind::kUndecided;
  return Verdict::kAdmitted;
}

ConnectionCensus::Verdict ConnectionCensus::SettleAsClient(Place& place) {
  CAIRN_CHECK(place.census_.get() == this && place.kind_ == Place::Kind::kUndecided,
              "what a connection is shows once");
  base::MutexLock lock(mutex_);
  Address& address = addresses_.at(place.address_);
  if (limits_.per_address > 0 && address.clients >= limits_.per_address && !DropOneOf(address)) {
    return Verdict::kTooManyFromAddress;
  }
  --address.undecided;
  ++address.clients;
  place.kind_ = Place::Kind::kClient;
  return Verdict::kAdmitted;
}

void ConnectionCensus::SettleAsPeer(Place& place) {
  CAIRN_CHECK(place.census_.get() == this && place.kind_ == Place::Kind::kUndecided,
              "what a connection is shows once");
  base::MutexLock lock(mutex_);
  Address& address = addresses_.at(place.address_);
  --address.undecided;
  ++address.peers;
  place.kind_ = Place::Kind::kPeer;
}

std::unique_ptr<env::Connection> ConnectionCensus::Hold(std::unique_ptr<env::Connection> connection,
                                                        Place place) {
  return std::make_unique<HeldConnection>(std::move(connection), std::move(place));
}

size_t ConnectionCensus::total() const {
  base::MutexLock lock(mutex_);
  return total_;
}

size_t ConnectionCensus::addresses() const {
  base::MutexLock lock(mutex_);
  return addresses_.size();
}

void ConnectionCensus::Leave(const std::string& address, Place::Kind kind) {
  base::MutexLock lock(mutex_);
  LeaveLocked(address, kind);
}

void ConnectionCensus::LeaveLocked(const std::string& address, Place::Kind kind) {
  --total_;
  const auto found = addresses_.find(address);
  CAIRN_CHECK(found != addresses_.end() && found->second.of(kind) > 0, "who leaves was there");
  --found->second.of(kind);
  if (found->second.empty()) addresses_.erase(found);
}

void ConnectionCensus::Watch(int descriptor, Place place) {
  struct stat socket {};
  // A descriptor that cannot be looked at cannot be watched; its place is given back.
  if (::fstat(descriptor, &socket) != 0) return;
  base::MutexLock lock(mutex_);
  if (const auto before = watched_.find(descriptor); before != watched_.end()) {
    ForgetLocked(before);
  }
  // From here on the entry holds the place.
  place.census_ = nullptr;
  if (place.kind_ == Place::Kind::kClient) addresses_.at(place.address_).watched.insert(descriptor);
  watched_[descriptor] = {.address = std::move(place.address_),
                          .kind = place.kind_,
                          .device = socket.st_dev,
                          .inode = socket.st_ino};
}

void ConnectionCensus::ForgetLocked(std::map<int, Watched>::iterator watched) {
  const auto [descriptor, entry] = std::move(*watched);
  watched_.erase(watched);
  addresses_.at(entry.address).watched.erase(descriptor);
  LeaveLocked(entry.address, entry.kind);
}

// Another thread may close the descriptor, or be given its number, meanwhile: then either answer is
// right. ThreadSanitizer cannot know that.
bool ConnectionCensus::IsClosed(int descriptor, const Watched& watched) {
  struct stat now {};
  return ::fstat(descriptor, &now) != 0 || now.st_dev != watched.device ||
         now.st_ino != watched.inode;
}

bool ConnectionCensus::DropOneOfAll() {
  const auto closed = FindFrom(
      watched_, last_looked_at_, [](const auto& entry) { return entry.first; },
      [](const auto& entry) { return IsClosed(entry.first, entry.second); });
  if (closed == watched_.end()) return false;
  ForgetLocked(closed);
  return true;
}

bool ConnectionCensus::DropOneOf(Address& address) {
  // By pointer: clang's analysis does not see in a lambda that the mutex is held.
  const std::map<int, Watched>* const all = &watched_;
  const auto closed = FindFrom(
      address.watched, address.last_looked_at, [](int descriptor) { return descriptor; },
      [all](int descriptor) { return IsClosed(descriptor, all->at(descriptor)); });
  if (closed == address.watched.end()) return false;
  ForgetLocked(watched_.find(*closed));
  return true;
}

}  // namespace cairn::rpc
