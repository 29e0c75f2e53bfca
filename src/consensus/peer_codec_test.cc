#include "consensus/peer_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error_info.h"
#include "base/strings.h"
#include "env/sim_random.h"

namespace cairn::consensus {
namespace {

using testing::HasSubstr;

std::string Join(env::SliceBuffer& buffer) {
  std::string bytes;
  for (const env::Slice& slice : buffer.Take()) bytes += slice.view();
  return bytes;
}
template <typename Encode>
std::string Bytes(Encode encode) {
  env::SliceBuffer buffer;
  encode(buffer);
  return Join(buffer);
}
std::string MessageBytes(const Message& message, GroupId group = GroupId(1)) {
  env::SliceBuffer buffer;
  EXPECT_TRUE(EncodeMessage(group, message, buffer).ok());
  return Join(buffer);
}

// Feeds `bytes` in pieces of `piece` and returns what `visit` makes of the frames; the first error.
template <typename Visit>
absl::Status Parse(std::string_view bytes, size_t piece, Visit visit,
                   size_t limit = kMaxFrameBytes) {
  FrameReader reader(limit);
  while (true) {
    while (true) {
      auto frame = reader.Next();
      if (!frame.ok()) return frame.status();
      if (!*frame) break;
      if (const absl::Status status = visit(**std::move(frame)); !status.ok()) return status;
    }
    if (bytes.empty()) break;
    const std::span<char> space = reader.Space();
    const size_t size = std::min({space.size(), bytes.size(), piece});
    std::copy_n(bytes.begin(), size, space.begin());
    reader.Advance(size);
    bytes.remove_prefix(size);
  }
  return reader.at_frame_end() ? absl::OkStatus() : absl::OutOfRangeError("truncated");
}

absl::StatusOr<Message> ParseMessage(std::string_view bytes, size_t piece = 1 << 20) {
  absl::StatusOr<Message> message = absl::NotFoundError("no frame");
  const absl::Status status = Parse(bytes, piece, [&](Frame frame) {
    message = DecodeMessage(std::move(frame));
    return message.status();
  });
  if (!status.ok()) return status;
  return message;
}
// The one frame of `bytes`; its control section is copied to `control`.
Frame ParseFrame(std::string_view bytes, std::string& control) {
  Frame result;
  EXPECT_TRUE(Parse(bytes, 1 << 20, [&](Frame frame) {
                control = frame.control;
                result = std::move(frame);
                return absl::OkStatus();
              }).ok());
  result.control = control;
  return result;
}

log::Entry EntryWith(uint64_t index, std::string body) {
  return log::MakeControlEntry(log::EntryKind::kConfiguration, std::move(body), Index(index),
                               Term(2), Offset(100), 1234567);
}

const PeerIdentity kAlice = {.cluster = base::Uuid::FromRandom(1, 2),
                             .node_uuid = base::Uuid::FromRandom(3, 4),
                             .node = NodeId(5),
                             .name = "alice",
                             .address = "alice:8400"};

std::vector<Message> SimpleMessages() {
  return {RequestVote{Term(7), Index(9), Term(6), true, false},
          RequestVote{Term(7), Index(9), Term(6), false, true},
          RequestVoteResult{Term(7), true, false},
          RequestVoteResult{Term(7), false, true},
          AppendEntriesResult{Term(3), Index(4), Index(5), Term(2)},
          InstallSnapshot{Term(3), Index(4), Term(2), Index(1), "conf", Offset(77), "state"},
          InstallSnapshot{Term(3), Index(4), Term(2), Index(1), "", Offset(77),
                          std::string(100'000, 's')},
          TimeoutNow{Term(3), Index(4), Term(2)},
          Probe{Term(3), 1ull << 60},
          ProbeResult{Term(3), 1ull << 60}};
}

bool Equal(const Message& a, const Message& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&](const auto& x) {
        using M = std::decay_t<decltype(x)>;
        const M& y = std::get<M>(b);
        if constexpr (std::is_same_v<M, AppendEntries>) {
          return x.term == y.term && x.prev_index == y.prev_index && x.prev_term == y.prev_term &&
                 x.commit == y.commit && x.count == y.count &&
                 std::equal(x.entries.begin(), x.entries.end(), y.entries.begin(), y.entries.end(),
                            [](const log::Entry& e, const log::Entry& f) {
                              return e.header == f.header && e.body() == f.body();
                            });
        } else {
          return x == y;
        }
      },
      a);
}

TEST(PeerCodecTest, EveryMessageComesBackInPiecesOfAnySize) {
  std::vector<Message> messages = SimpleMessages();
  AppendEntries append{
      .term = Term(7), .prev_index = Index(8), .prev_term = Term(6), .commit = Index(5)};
  messages.push_back(append);
  for (const size_t size : {0u, 1u, 4095u, 4096u, 40'000u, 2'000'000u, 3u}) {
    append.entries.push_back(EntryWith(9 + append.entries.size(), std::string(size, 'b')));
    append.count = static_cast<uint32_t>(append.entries.size());
    messages.push_back(append);
  }
  std::string all;
  for (const Message& message : messages) all += MessageBytes(message);
  for (const size_t piece : {1u, 7u, 31u, 1000u, 32768u, 1u << 20}) {
    size_t next = 0;
    const absl::Status status = Parse(all, piece, [&](Frame frame) {
      EXPECT_EQ(frame.group, GroupId(1));
      const auto message = DecodeMessage(std::move(frame));
      if (!message.ok()) return message.status();
      EXPECT_TRUE(Equal(*message, messages[next])) << next;
      ++next;
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(next, messages.size());
  }
}

TEST(PeerCodecTest, HandshakesComeBack) {
  std::string control;
  const Hello hello{.version_min = 1,
                    .version_max = 3,
                    .purpose = PeerPurpose::kCalls,
                    .from = kAlice,
                    .target = NodeId(8)};
  EXPECT_EQ(
      DecodeHello(ParseFrame(Bytes([&](auto& to) { EncodeHello(hello, to); }), control)).value(),
      hello);
  const Welcome welcome{.version = 2, .from = kAlice};
  EXPECT_EQ(DecodeWelcome(ParseFrame(Bytes([&](auto& to) { EncodeWelcome(welcome, to); }), control))
                .value(),
            welcome);
  const Refusal refusal{RefusalReason::kWrongCluster, "not one of us"};
  EXPECT_EQ(DecodeRefusal(ParseFrame(Bytes([&](auto& to) { EncodeRefusal(refusal, to); }), control))
                .value(),
            refusal);
  EXPECT_TRUE(DecodePing(ParseFrame(Bytes([](auto& to) { EncodePing(to); }), control)).ok());
}

TEST(PeerCodecTest, ANewerHandshakeMaySayMore) {
  std::string control;
  Frame frame = ParseFrame(Bytes([&](auto& to) { EncodeHello({.from = kAlice}, to); }), control);
  control += "and more";
  frame.control = control;
  EXPECT_EQ(DecodeHello(frame)->from, kAlice);
}

TEST(PeerCodecTest, CallsComeBack) {
  std::string control;
  for (const size_t size : {0u, 100u, 100'000u}) {
    const auto payload = std::make_shared<const std::string>(size, 'p');
    const uint32_t crc = base::Crc32c(*payload);
    const auto request = DecodeRequest(
        ParseFrame(Bytes([&](auto& to) { EncodeRequest(42, 7, payload, crc, to); }), control));
    EXPECT_EQ(request.value(), (Request{42, 7, *payload}));
    const auto response = DecodeResponse(
        ParseFrame(Bytes([&](auto& to) { EncodeResponse(42, payload, crc, to); }), control));
    EXPECT_EQ(response->id, 42u);
    EXPECT_EQ(response->result.value(), *payload);
  }
  const auto round_trip = [&](const absl::Status& error) {
    return DecodeResponse(
               ParseFrame(Bytes([&](auto& to) { EncodeErrorResponse(1, error, to); }), control))
        ->result.status();
  };
  EXPECT_EQ(round_trip(absl::AbortedError("why")), absl::AbortedError("why"));
  const absl::Status error =
      base::MakeError(absl::StatusCode::kUnavailable, "elsewhere", base::reason::kNotLeader,
                      {{"leader_id", "4"}, {"leader_addr", ""}});
  EXPECT_EQ(round_trip(error), error);
}

TEST(PeerCodecTest, ErrorsAreCutToTheLimits) {
  std::map<std::string, std::string> metadata;
  for (int i = 0; i < 100; ++i) metadata[base::StrCat("key", i)] = std::string(10'000, 'v');
  const absl::Status error =
      base::MakeError(absl::StatusCode::kInternal, std::string(100'000, 'x'), "R", metadata);
  std::string control;
  const auto response = DecodeResponse(
      ParseFrame(Bytes([&](auto& to) { EncodeErrorResponse(1, error, to); }), control));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->result.status().message().size(), kMaxErrorTextBytes);
  EXPECT_EQ(base::GetErrorInfo(response->result.status())->metadata.size(), kMaxErrorFields);
}

TEST(PeerCodecTest, BodiesAreGatheredAndReceivedInOneBuffer) {
  AppendEntries append{.term = Term(2), .prev_index = Index(4)};
  append.entries = {EntryWith(5, std::string(10'000, 'x')), EntryWith(6, std::string(50'000, 'y'))};
  env::SliceBuffer buffer;
  ASSERT_TRUE(EncodeMessage(GroupId(1), append, buffer).ok());
  const std::vector<env::Slice> slices = buffer.Take();
  ASSERT_EQ(slices.size(), 3u);
  EXPECT_EQ(slices[1].view().data(), append.entries[0].body().data());
  EXPECT_EQ(slices[2].view().data(), append.entries[1].body().data());
  std::string bytes;
  for (const env::Slice& slice : slices) bytes += slice.view();
  const auto message = ParseMessage(bytes);
  const auto& entries = std::get<AppendEntries>(*message).entries;
  EXPECT_EQ(entries[0].buffer, entries[1].buffer);
  EXPECT_EQ(entries[0].body().data() + 10'000, entries[1].body().data());
}

TEST(PeerCodecTest, WhatOneFileKnewOfItsDiskDoesNotTravel) {
  AppendEntries append{.term = Term(2), .prev_index = Index(4)};
  append.entries = {EntryWith(5, "x")};
  append.entries[0].header.durable_bytes = 77;
  const auto message = ParseMessage(MessageBytes(append));
  EXPECT_EQ(std::get<AppendEntries>(*message).entries[0].header.durable_bytes, 0u);
}

TEST(PeerCodecTest, MessagesOverTheLimitsAreNotSent) {
  env::SliceBuffer buffer;
  AppendEntries append{.term = Term(2), .prev_index = Index(4)};
  append.entries = {EntryWith(5, std::string(40 << 20, 'x')),
                    EntryWith(6, std::string(40 << 20, 'y'))};
  EXPECT_TRUE(absl::IsInvalidArgument(EncodeMessage(GroupId(1), append, buffer)));
  append.entries.assign(kMaxEntriesPerMessage + 1, EntryWith(5, ""));
  EXPECT_TRUE(absl::IsInvalidArgument(EncodeMessage(GroupId(1), append, buffer)));
  InstallSnapshot snapshot;
  snapshot.configuration.resize(100'000);
  EXPECT_TRUE(absl::IsInvalidArgument(EncodeMessage(GroupId(1), snapshot, buffer)));
  EXPECT_TRUE(buffer.empty());
  append.entries.resize(kMaxEntriesPerMessage);
  EXPECT_EQ(std::get<AppendEntries>(*ParseMessage(MessageBytes(append))).count,
            kMaxEntriesPerMessage);
  append.entries = {EntryWith(5, std::string(log::kMaxBodyBytes, 'x'))};
  EXPECT_TRUE(ParseMessage(MessageBytes(append)).ok());
}

TEST(PeerCodecTest, EveryFlippedBitIsNoticed) {
  AppendEntries append{.term = Term(2), .prev_index = Index(4)};
  append.entries = {EntryWith(5, "body"), EntryWith(6, ""), EntryWith(7, "other body")};
  std::vector<Message> messages = SimpleMessages();
  messages.push_back(append);
  for (const Message& message : messages) {
    if (const auto* snapshot = std::get_if<InstallSnapshot>(&message);
        snapshot && snapshot->state.size() > 100) {
      continue;
    }
    const std::string good = MessageBytes(message);
    for (size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string bad = good;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      const auto parsed = ParseMessage(bad);
      ASSERT_TRUE(absl::IsDataLoss(parsed.status())) << bit << " " << parsed.status();
    }
  }
}

TEST(PeerCodecTest, EveryTruncationIsNoticed) {
  AppendEntries append{.term = Term(2), .prev_index = Index(4)};
  append.entries = {EntryWith(5, "body"), EntryWith(6, std::string(50'000, 'x'))};
  for (const Message& message : {Message(append), Message(Probe{Term(1), 2})}) {
    const std::string good = MessageBytes(message);
    for (size_t size = 1; size < good.size(); size += size < 300 ? 1 : 997) {
      EXPECT_TRUE(absl::IsOutOfRange(ParseMessage(good.substr(0, size)).status())) << size;
    }
  }
}

// A frame with valid checksums and this content.
std::string Crafted(FrameType type, std::string control, std::string body = "",
                    uint32_t body_crc = 0) {
  env::SliceBuffer buffer;
  AppendFrame(type, GroupId(0), control, body.size(), body_crc, buffer);
  buffer.Append(body);
  return Join(buffer);
}

TEST(PeerCodecTest, WellSummedNonsenseIsMalformed) {
  const std::string probe = MessageBytes(Probe{Term(1), 2}).substr(kFrameHeaderBytes);
  const auto malformed = [](const std::string& bytes) {
    return absl::IsInvalidArgument(ParseMessage(bytes).status());
  };
  EXPECT_FALSE(malformed(Crafted(FrameType::kProbe, probe)));
  EXPECT_TRUE(malformed(Crafted(FrameType::kProbe, probe + "x"))) << "too long";
  EXPECT_TRUE(malformed(Crafted(FrameType::kProbe, probe.substr(1)))) << "too short";
  EXPECT_TRUE(malformed(Crafted(FrameType::kProbe, probe, "body"))) << "with a body";
  EXPECT_TRUE(malformed(Crafted(FrameType::kProbe, probe, "", 1))) << "with a body's CRC";
  EXPECT_TRUE(malformed(Crafted(FrameType::kProbe, "\xff\xff\xff\xff" + probe.substr(4))))
      << "a negative term";
  EXPECT_TRUE(malformed(Crafted(FrameType::kHello, probe))) << "no Raft message";
  EXPECT_TRUE(malformed(Crafted(static_cast<FrameType>(99), probe))) << "an unknown type";
  std::string vote =
      MessageBytes(RequestVote{Term(1), Index(2), Term(1)}).substr(kFrameHeaderBytes);
  vote.back() = 2;
  EXPECT_TRUE(malformed(Crafted(FrameType::kRequestVote, vote))) << "a flag of 2";

  AppendEntries append{.term = Term(2), .prev_index = Index(4)};
  append.entries = {EntryWith(5, "body"), EntryWith(6, "more")};
  const std::string whole = MessageBytes(append);
  const std::string control = whole.substr(kFrameHeaderBytes, whole.size() - kFrameHeaderBytes - 8);
  EXPECT_FALSE(malformed(Crafted(FrameType::kAppendEntries, control, "bodymore")));
  EXPECT_TRUE(malformed(Crafted(FrameType::kAppendEntries, control, "bodymor")));
  EXPECT_TRUE(malformed(Crafted(FrameType::kAppendEntries, control, "bodymore+")));
  EXPECT_TRUE(malformed(
      Crafted(FrameType::kAppendEntries, control.substr(0, control.size() - 80), "bodymore")));
  EXPECT_TRUE(absl::IsDataLoss(
      ParseMessage(Crafted(FrameType::kAppendEntries, control, "bodyless")).status()));
  std::string many = control;
  base::StoreLittleEndian<uint32_t>(many.data() + 24, 0xffffffff);
  EXPECT_TRUE(malformed(Crafted(FrameType::kAppendEntries, many, "bodymore")));
}

TEST(PeerCodecTest, TracedEntriesKeepTheirContext) {
  AppendEntries append{.term = Term(2), .prev_index = Index(4)};
  append.entries = {EntryWith(5, "a"), EntryWith(6, "b"), EntryWith(7, "c")};
  base::TraceContext context;
  context.trace_id.fill(1);
  context.span_id.fill(2);
  context.sampled = true;
  append.entries[1].trace = context;
  const std::string bytes = MessageBytes(append);
  const auto message = ParseMessage(bytes);
  ASSERT_TRUE(message.ok()) << message.status();
  const auto& entries = std::get<AppendEntries>(*message).entries;
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_FALSE(entries[0].trace.valid());
  EXPECT_EQ(entries[1].trace, context);
  EXPECT_FALSE(entries[2].trace.valid());
}

TEST(PeerCodecTest, TracesOfNoEntryAreRefused) {
  const std::string traces = [] {
    AppendEntries append{.term = Term(2), .prev_index = Index(4)};
    append.entries = {EntryWith(5, "")};
    append.entries[0].trace.trace_id.fill(1);
    append.entries[0].trace.span_id.fill(2);
    append.entries[0].trace.sampled = true;
    return MessageBytes(append).substr(kFrameHeaderBytes);  // fields, one header, one trace
  }();
  const auto parsed = [](std::string control) {
    return ParseMessage(Crafted(FrameType::kAppendEntries, control)).status();
  };
  ASSERT_TRUE(parsed(traces).ok()) << parsed(traces);
  const std::string trace = traces.substr(traces.size() - 2 - base::kTraceContextBytes);
  EXPECT_FALSE(parsed(traces + trace).ok()) << "twice the same";
  EXPECT_FALSE(parsed(traces.substr(0, traces.size() - 1)).ok());
  for (const size_t at : {0, 26}) {  // beyond the last entry; a flag that nobody knows
    std::string bad = traces;
    bad[bad.size() - trace.size() + at] = 7;
    EXPECT_FALSE(parsed(bad).ok()) << at;
  }
  std::string nobody = traces;
  std::fill_n(nobody.end() - 9, 8, '\0');
  EXPECT_FALSE(parsed(nobody).ok()) << "no span";
}

TEST(PeerCodecTest, OversizedFramesAreRefusedByTheirHeader) {
  std::string header = Crafted(FrameType::kProbe, "");
  const auto resized = [&](uint32_t control, uint32_t body) {
    base::StoreLittleEndian<uint32_t>(header.data() + 8, control);
    base::StoreLittleEndian<uint32_t>(header.data() + 12, body);
    base::StoreLittleEndian<uint32_t>(header.data(),
                                      base::Crc32c(std::string_view(header).substr(4)));
    return ParseMessage(header).status();
  };
  EXPECT_TRUE(absl::IsResourceExhausted(resized(kMaxControlBytes + 1, 0)));
  EXPECT_TRUE(absl::IsResourceExhausted(resized(0, kMaxFrameBytes - kFrameHeaderBytes + 1)));
  EXPECT_TRUE(absl::IsResourceExhausted(resized(0xffffffff, 0xffffffff)));
  EXPECT_TRUE(absl::IsOutOfRange(resized(kMaxControlBytes, 0))) << "would be fine if it came";
}

TEST(PeerCodecTest, AClaimedLengthCostsNoMemoryBeforeItComes) {
  AppendEntries append{.term = Term(2), .prev_index = Index(4)};
  append.entries = {EntryWith(5, std::string(60 << 20, 'x'))};
  const std::string bytes = MessageBytes(append);
  FrameReader reader(kMaxFrameBytes);
  std::copy_n(bytes.begin(), 1000, reader.Space().begin());
  reader.Advance(1000);
  ASSERT_FALSE(reader.Next()->has_value());
  EXPECT_LE(reader.Space().size(), FrameReader::kGrowBytes);
}

std::string Hex(std::string_view bytes) { return absl::BytesToHexString(base::AbslView(bytes)); }

// The bytes of version 2 of the protocol, as docs/formats/peer.md shows them. They never change;
// another layout is another version.
TEST(PeerCodecTest, GoldenBytes) {
  EXPECT_EQ(Hex(MessageBytes(Probe{Term(3), 258}, GroupId(7))),
            "22643c1a8b1f89820c00000000000000000000001600000007000000000000000300000002010000"
            "00000000");
  EXPECT_EQ(Hex(Bytes([](auto& to) { EncodeHello({.from = kAlice, .target = NodeId(8)}, to); })),
            "3b62ca7f94175f6a4000000000000000000000000100000000000000000000000200020001080000"
            "00010000000000400082000000000000000300000000004000840000000000000005000000050061"
            "6c6963650a00616c6963653a38343030");
  AppendEntries append{
      .term = Term(2), .prev_index = Index(4), .prev_term = Term(1), .commit = Index(3)};
  append.entries = {EntryWith(5, "body")};
  EXPECT_EQ(Hex(MessageBytes(append)),
            "221c64f6f6753b8d6c00000004000000000000001200000001000000000000000200000001000000"
            "040000000000000003000000000000000100000063726e311fb0c61d0400000050c93f2600000000"
            "0200000005000000000000006400000000000000000000000000030087d612000000000087d61200"
            "00000000ffffffffffffffffffffffffffff0000626f6479");
  append.entries[0].trace.trace_id.fill(0x0a);
  append.entries[0].trace.span_id.fill(0x0b);
  append.entries[0].trace.sampled = true;
  EXPECT_EQ(Hex(MessageBytes(append)),
            "dfd5405c28f057338700000004000000000000001200000001000000000000000200000001000000"
            "040000000000000003000000000000000100000063726e311fb0c61d0400000050c93f2600000000"
            "0200000005000000000000006400000000000000000000000000030087d612000000000087d61200"
            "00000000ffffffffffffffffffffffffffff000000000a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0b0b"
            "0b0b0b0b0b0b01626f6479");
  EXPECT_EQ(Hex(MessageBytes(RequestVote{Term(7), Index(9), Term(6), true, false})),
            "7a73346ea2de04601200000000000000000000001000000001000000000000000700000009000000"
            "00000000060000000100");
  EXPECT_EQ(Hex(MessageBytes(RequestVoteResult{Term(7), true, false})),
            "4b5852435018c1c2060000000000000000000000110000000100000000000000070000000100");
  EXPECT_EQ(Hex(MessageBytes(AppendEntriesResult{Term(3), Index(4), Index(5), Term(2)})),
            "8d8a2b6b08a419d91800000000000000000000001300000001000000000000000300000004000000"
            "00000000050000000000000002000000");
  EXPECT_EQ(Hex(MessageBytes(InstallSnapshot{Term(3), Index(4), Term(2), Index(1), "conf",
                                             Offset(77), "state"})),
            "db468c2c9fb107ca2600000005000000df68db661400000001000000000000000300000002000000"
            "040000000000000001000000000000004d000000000000000400636f6e667374617465");
  EXPECT_EQ(Hex(MessageBytes(TimeoutNow{Term(3), Index(4), Term(2)})),
            "8b1aa9eb5889282b1000000000000000000000001500000001000000000000000300000004000000"
            "0000000002000000");
  EXPECT_EQ(Hex(MessageBytes(ProbeResult{Term(3), 258})),
            "31c828988b1f89820c00000000000000000000001700000001000000000000000300000002010000"
            "00000000");
  EXPECT_EQ(Hex(Bytes([](auto& to) { EncodeWelcome({.version = 2, .from = kAlice}, to); })),
            "e90e3e12d427dbd43900000000000000000000000200000000000000000000000200010000000000"
            "4000820000000000000003000000000040008400000000000000050000000500616c6963650a0061"
            "6c6963653a38343030");
  EXPECT_EQ(Hex(Bytes([](auto& to) {
              EncodeRefusal({RefusalReason::kWrongTarget, "no"}, to);
            })),
            "e61aafc08afdb4f90500000000000000000000000300000000000000000000000302006e6f");
  EXPECT_EQ(Hex(Bytes([](auto& to) { EncodePing(to); })),
            "a9970e3200000000000000000000000000000000040000000000000000000000");
  const auto payload = std::make_shared<const std::string>("payload");
  EXPECT_EQ(Hex(Bytes([&](auto& to) { EncodeRequest(9, 2, payload, base::Crc32c(*payload), to); })),
            "957c65a72e5014490a000000070000007069e3f42000000000000000000000000900000000000000"
            "02007061796c6f6164");
  EXPECT_EQ(Hex(Bytes([&](auto& to) { EncodeResponse(9, payload, base::Crc32c(*payload), to); })),
            "0816f9b47c4ca8f709000000070000007069e3f42100000000000000000000000900000000000000"
            "007061796c6f6164");
  EXPECT_EQ(Hex(Bytes([](auto& to) {
              EncodeErrorResponse(9,
                                  base::MakeError(absl::StatusCode::kUnavailable, "no",
                                                  base::reason::kNotLeader, {{"leader_id", "4"}}),
                                  to);
            })),
            "2f628aedac84de4b2900000000000000000000002100000000000000000000000900000000000000"
            "0e02006e6f010a004e4f545f4c45414445520109006c65616465725f6964010034");
}

}  // namespace
}  // namespace cairn::consensus
