// ConnectionCensus: how many connections there are, in all and of each address, and whether one
// more may come.
//
// Between the port multiplexer, which asks it for a Place for each connection, and the protocols,
// which know nothing of it: a connection that has a place is wrapped, and gives the place back when
// it is closed. Code that takes the descriptor away (gRPC) closes it without a word. Such a place
// is therefore kept with the descriptor and its socket's inode, and is free as soon as the
// descriptor is closed or belongs to another socket. That is looked up only at a limit, so counting
// costs O(1) otherwise.
//
// Thread-safe. Places and wrapped connections keep the census alive.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/mutex.h"
#include "env/network.h"

namespace cairn::rpc {

struct ConnectionLimits {
  size_t total = 0;        // of everybody; 0: unbounded
  size_t per_address = 0;  // of one IPv4 address, or one /64 of IPv6; 0: unbounded
};

class ConnectionCensus : public std::enable_shared_from_this<ConnectionCensus> {
 public:
  enum class Verdict {
    kAdmitted,
    kTooMany,
    kTooManyFromAddress,
  };

  // A counted connection; its end gives the place back. Moved from, or not admitted: nothing.
  class Place {
   public:
    Place() = default;
    ~Place() { Release(); }
    Place(Place&& other) noexcept { *this = std::move(other); }
    Place& operator=(Place&& other) noexcept;

    void Release();

   private:
    friend class ConnectionCensus;
    enum class Kind { kUndecided, kClient, kPeer };

    std::shared_ptr<ConnectionCensus> census_;
    std::string address_;
    Kind kind_ = Kind::kUndecided;
  };

  static std::shared_ptr<ConnectionCensus> New(ConnectionLimits limits);
  // From now on. Connections over a limit that is lower by now stay.
  void SetLimits(ConnectionLimits limits) {
    const base::MutexLock lock(mutex_);
    limits_ = limits;
  }

  // A connection from `peer_address` ("host:port") was accepted and has not shown what it is. It
  // counts in all; of its address, there may be as many such as there may be clients. `place` is
  // filled when it is admitted.
  Verdict Enter(std::string_view peer_address, Place& place);

  // It is a client: from now on it counts as one of its address. When it is not admitted, it stays
  // as it was.
  Verdict SettleAsClient(Place& place);
  // It is another node of the cluster, which no client of the same address keeps out.
  void SettleAsPeer(Place& place);

  // `connection`, which holds the place until it is closed or destroyed. When its descriptor is
  // released, the place stays taken until that is closed.
  static std::unique_ptr<env::Connection> Hold(std::unique_ptr<env::Connection> connection,
                                               Place place);

  // Connections now; some of those given away may be closed already.
  size_t total() const;
  // Addresses that anything is kept of.
  size_t addresses() const;

 private:
  class HeldConnection;

  // A socket that was given away.
  struct Watched {
    std::string address;
    Place::Kind kind = Place::Kind::kClient;
    dev_t device = 0;
    ino_t inode = 0;
  };
  struct Address {
    size_t undecided = 0;
    size_t clients = 0;  // held and watched
    size_t peers = 0;
    std::set<int> watched;  // descriptors of clients
    int last_looked_at = -1;

    bool empty() const { return undecided + clients + peers == 0; }
    size_t& of(Place::Kind kind);
  };

  explicit ConnectionCensus(ConnectionLimits limits) : limits_(limits) {}

  static bool IsClosed(int descriptor, const Watched& watched);

  void Leave(const std::string& address, Place::Kind kind);
  void Watch(int descriptor, Place place);

  void LeaveLocked(const std::string& address, Place::Kind kind) CAIRN_REQUIRES(mutex_);
  void ForgetLocked(std::map<int, Watched>::iterator watched) CAIRN_REQUIRES(mutex_);
  // Whether a closed descriptor was found and forgotten. Looks at up to kCensusLooks descriptors,
  // and goes on behind them the next time.
  bool DropOneOfAll() CAIRN_REQUIRES(mutex_);
  bool DropOneOf(Address& address) CAIRN_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  ConnectionLimits limits_ CAIRN_GUARDED_BY(mutex_);
  size_t total_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, Address> addresses_ CAIRN_GUARDED_BY(mutex_);
  // By descriptor, so there are never more than descriptors: whoever has the number now, the one
  // before has closed it.
  std::map<int, Watched> watched_ CAIRN_GUARDED_BY(mutex_);
  int last_looked_at_ CAIRN_GUARDED_BY(mutex_) = -1;
};

}  // namespace cairn::rpc
