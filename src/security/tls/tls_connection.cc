#include "security/tls/tls_connection.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <deque>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/strings.h"
#include "security/tls/openssl.h"

namespace cairn::security {
namespace {

// Read at once of the connection below: a record and its frame.
constexpr size_t kReadBytes = 17 << 10;
// Encrypted at once, and written before there is more: what a writer costs beside its data.
constexpr size_t kWriteBytes = 256 << 10;
// How long a close waits for its last words to be written.
constexpr int64_t kGoodbyeNs = 1'000'000'000;

absl::Status Cancelled() { return absl::CancelledError("the connection was closed"); }

}  // namespace

class TlsConnection::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(std::unique_ptr<env::Connection> connection, std::shared_ptr<const TlsContext> context,
       env::Executor& executor)
      : context_(std::move(context)),
        executor_(executor),
        connection_(std::move(connection)),
        peer_address_(connection_->peer_address()),
        ssl_(SSL_new(context_->get())),
        in_(BIO_new(BIO_s_mem())),
        out_(BIO_new(BIO_s_mem())) {
    CAIRN_CHECK(ssl_ != nullptr && in_ != nullptr && out_ != nullptr,
                "OpenSSL has no memory for a connection");
    BIO_set_mem_eof_return(in_, -1);
    SSL_set_bio(ssl_.get(), in_, out_);  // they are its own now
  }

  void Handshake(const std::string& host, const std::string& received, int64_t timeout_ns,
                 Done done) {
    handshaken_ = std::move(done);
    if (context_->role() == TlsRole::kServer) {
      SSL_set_accept_state(ssl_.get());
    } else {
      SSL_set_connect_state(ssl_.get());
      X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_.get());
      if (IsAddress(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str());
      } else {
        X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size());
        SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
      }
    }
    if (!received.empty()) Put(received);
    timer_ = executor_.PostAfter(timeout_ns, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self || !self->handshaken_) return;
      self->FinishHandshake(absl::DeadlineExceededError("no TLS handshake in time"));
    });
    executor_.Post([self = shared_from_this()] { self->StepHandshake(); });
  }

  void Read(std::span<char> into, ReadCallback done) {
    CAIRN_CHECK(!read_done_, "one Read at a time");
    read_into_ = into;
    read_done_ = std::move(done);
    executor_.Post([self = shared_from_this()] { self->StepRead(); });
  }

  void Write(std::vector<env::Slice> data, WriteCallback done) {
    CAIRN_CHECK(!write_done_, "one Write at a time");
    to_write_.assign(std::make_move_iterator(data.begin()), std::make_move_iterator(data.end()));
    written_of_first_ = 0;
    write_done_ = std::move(done);
    executor_.Post([self = shared_from_this()] { self->StepWrite(); });
  }

  void Close() {
    if (connection_ == nullptr) return;
    executor_.Cancel(timer_);
    if (!handshaken_ && failure_.ok() && !flushing_ && SSL_shutdown(ssl_.get()) >= 0 &&
        BIO_pending(out_) > 0) {
      // The last words; they are given up when nobody takes them.
      std::shared_ptr<env::Connection> leaving = std::move(connection_);
      const auto timer = executor_.PostAfter(kGoodbyeNs, [weak = std::weak_ptr(leaving)] {
        if (const auto late = weak.lock()) late->Close();
      });
      env::Connection& writer = *leaving;
      writer.Write(TakeOut(), [leaving, timer, &executor = executor_](const absl::Status&) {
        executor.Cancel(timer);
        leaving->Close();
      });
    } else {
      connection_->Close();
    }
    closed_connection_ = std::move(connection_);
    connection_ = nullptr;
    failure_ = Cancelled();
    // Never inline.
    executor_.Post([self = shared_from_this()] { self->FailAll(); });
  }

  const std::optional<PeerCertificate>& peer() const { return peer_; }
  const std::string& protocol() const { return protocol_; }
  const std::string& peer_address() const { return peer_address_; }

 private:
  void Put(std::string_view bytes) {
    CAIRN_CHECK(BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())) ==
                    static_cast<int>(bytes.size()),
                "OpenSSL has no memory for what was received");
  }
  std::string TakeOut() {
    std::string bytes(static_cast<size_t>(BIO_pending(out_)), '\0');
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }

  // Writes what TLS wants to say, then goes on with what waits for it.
  void Flush() {
    if (connection_ == nullptr || flushing_ || BIO_pending(out_) == 0) return;
    flushing_ = true;
    connection_->Write(TakeOut(), [self = shared_from_this()](const absl::Status& status) {
      self->flushing_ = false;
      if (!status.ok()) return self->Break(status);
      self->Flush();
      self->StepWrite();
    });
  }
  void Fill() {
    if (connection_ == nullptr || filling_) return;
    filling_ = true;
    connection_->Read(buffer_, [self = shared_from_this()](const absl::StatusOr<size_t>& size) {
      self->filling_ = false;
      if (!size.ok()) return self->Break(size.status());
      if (*size == 0) return self->Break(absl::UnavailableError("the connection ends within TLS"));
      self->Put({self->buffer_.data(), *size});
      self->StepHandshake();
      self->StepRead();
    });
  }

  void StepHandshake() {
    if (!handshaken_ || connection_ == nullptr) return;
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    const int error = SSL_get_error(ssl_.get(), result);
    Flush();
    if (result == 1) return FinishHandshake(absl::OkStatus());
    if (error == SSL_ERROR_WANT_READ) return Fill();
    // The alert that tells the other side has been handed to Flush.
    FinishHandshake(HandshakeError());
  }

  absl::Status HandshakeError() const {
    const long verified = SSL_get_verify_result(ssl_.get());
    if (verified != X509_V_OK) {
      ERR_clear_error();
      return absl::UnauthenticatedError(base::StrCat("the certificate of ", peer_address_, ": ",
                                                     X509_verify_cert_error_string(verified)));
    }
    const int reason = ERR_GET_REASON(ERR_peek_error());
    const std::string text = TakeOpensslError();
    const bool ours = reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE ||
                      reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA ||
                      reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED ||
                      reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN ||
                      reason == SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED ||
                      reason == SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE ||
                      reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED;
    if (ours) {
      return absl::UnauthenticatedError(
          base::StrCat(peer_address_, " refuses this side's certificate: ", text));
    }
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
      return absl::UnauthenticatedError(base::StrCat(peer_address_, " shows no certificate"));
    }
    return absl::InvalidArgumentError(base::StrCat("TLS with ", peer_address_, ": ", text));
  }

  void FinishHandshake(absl::Status status) {
    executor_.Cancel(timer_);
    Done done = std::exchange(handshaken_, nullptr);
    if (!status.ok()) {
      // What the other side is told leaves before the connection does.
      if (connection_ != nullptr) {
        failure_ = status;
        LeaveWhenFlushed();
      }
      return done(std::move(status));
    }
    if (X509* certificate = SSL_get0_peer_certificate(ssl_.get())) {
      peer_ = DescribeCertificate(certificate);
    }
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    protocol_.assign(reinterpret_cast<const char*>(name), size);
    done(std::unique_ptr<TlsConnection>(new TlsConnection(shared_from_this())));
  }

  void LeaveWhenFlushed() {
    executor_.PostAfter(flushing_ ? kGoodbyeNs / 10 : 0, [self = shared_from_this()] {
      if (self->connection_ == nullptr) return;
      self->connection_->Close();
      self->closed_connection_ = std::move(self->connection_);
      self->connection_ = nullptr;
    });
  }

  void StepRead() {
    if (!read_done_ || handshaken_) return;
    if (!failure_.ok()) return FailAll();
    ERR_clear_error();
    const int size = SSL_read(ssl_.get(), read_into_.data(),
                              static_cast<int>(std::min<size_t>(read_into_.size(), 1 << 30)));
    const int error = SSL_get_error(ssl_.get(), size);
    Flush();  // TLS may have something to answer
    if (size > 0) return std::exchange(read_done_, nullptr)(static_cast<size_t>(size));
    if (error == SSL_ERROR_WANT_READ) return Fill();
    if (error == SSL_ERROR_ZERO_RETURN) return std::exchange(read_done_, nullptr)(size_t{0});
    Break(
        absl::UnavailableError(base::StrCat("TLS with ", peer_address_, ": ", TakeOpensslError())));
  }

  void StepWrite() {
    if (!write_done_ || handshaken_) return;
    if (!failure_.ok()) return FailAll();
    if (flushing_) return;  // goes on when that is written
    size_t encrypted = 0;
    while (!to_write_.empty() && encrypted < kWriteBytes) {
      const std::string_view rest = to_write_.front().view().substr(written_of_first_);
      const size_t size = std::min(rest.size(), kWriteBytes);
      if (size > 0) {
        ERR_clear_error();
        const int done = SSL_write(ssl_.get(), rest.data(), static_cast<int>(size));
        if (done <= 0) {
          return Break(absl::UnavailableError(
              base::StrCat("TLS with ", peer_address_, ": ", TakeOpensslError())));
        }
        CAIRN_CHECK(static_cast<size_t>(done) == size, "memory takes all of a write");
      }
      encrypted += size;
      written_of_first_ += size;
      if (written_of_first_ == to_write_.front().view().size()) {
        to_write_.pop_front();
        written_of_first_ = 0;
      }
    }
    if (encrypted == 0) return std::exchange(write_done_, nullptr)(absl::OkStatus());
    Flush();
  }

  // The connection is good for nothing any more.
  void Break(const absl::Status& why) {
    if (failure_.ok()) failure_ = why;
    if (handshaken_) return FinishHandshake(why);
    FailAll();
  }
  void FailAll() {
    if (handshaken_) FinishHandshake(failure_);
    if (read_done_) std::exchange(read_done_, nullptr)(failure_);
    to_write_.clear();
    if (write_done_) std::exchange(write_done_, nullptr)(failure_);
  }

  const std::shared_ptr<const TlsContext> context_;
  env::Executor& executor_;
  std::unique_ptr<env::Connection> connection_;         // null: closed
  std::unique_ptr<env::Connection> closed_connection_;  // until its callbacks have come
  const std::string peer_address_;
  const SslPtr ssl_;
  BIO* const in_;
  BIO* const out_;
  std::array<char, kReadBytes> buffer_;
  bool filling_ = false;
  bool flushing_ = false;

  Done handshaken_;  // until the handshake is over
  env::Executor::TimerId timer_ = 0;
  absl::Status failure_;  // why nothing works any more
  std::optional<PeerCertificate> peer_;
  std::string protocol_;

  std::span<char> read_into_;
  ReadCallback read_done_;
  std::deque<env::Slice> to_write_;
  size_t written_of_first_ = 0;
  WriteCallback write_done_;
};

void TlsConnection::Accept(std::unique_ptr<env::Connection> connection, std::string received,
                           std::shared_ptr<const TlsContext> context, env::Executor& executor,
                           int64_t handshake_timeout_ns, Done done) {
  CAIRN_CHECK(context->role() == TlsRole::kServer, "a server accepts");
  std::make_shared<Impl>(std::move(connection), std::move(context), executor)
      ->Handshake("", received, handshake_timeout_ns, std::move(done));
}

void TlsConnection::Connect(std::unique_ptr<env::Connection> connection, const std::string& host,
                            std::shared_ptr<const TlsContext> context, env::Executor& executor,
                            int64_t handshake_timeout_ns, Done done) {
  CAIRN_CHECK(context->role() == TlsRole::kClient, "a client connects");
  std::make_shared<Impl>(std::move(connection), std::move(context), executor)
      ->Handshake(host, "", handshake_timeout_ns, std::move(done));
}

TlsConnection::TlsConnection(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsConnection::~TlsConnection() { impl_->Close(); }

const std::optional<PeerCertificate>& TlsConnection::peer() const { return impl_->peer(); }
const std::string& TlsConnection::protocol() const { return impl_->protocol(); }
void TlsConnection::Read(std::span<char> into, ReadCallback done) {
  impl_->Read(into, std::move(done));
}
void TlsConnection::Write(std::vector<env::Slice> data, WriteCallback done) {
  impl_->Write(std::move(data), std::move(done));
}
void TlsConnection::Close() { impl_->Close(); }
const std::string& TlsConnection::peer_address() const { return impl_->peer_address(); }

}  // namespace cairn::security
