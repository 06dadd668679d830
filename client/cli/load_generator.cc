#include "client/cli/load_generator.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/clock.h"
#include "ledger/base/event_view.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/record.h"
#include "ledger/chain/scanner.h"
#include "ledger/log/merkle.h"
#include "vigil/v1/event.pb.h"

namespace vigil::client {
namespace {

// schema (2 bytes), tag and length of the salt (2 bytes).
constexpr size_t kSaltOffset = 4;
constexpr uint64_t kNetworkTraffic = 400106;

// An event like a flow record, padded with a message to about `size` bytes.
std::string TemplateEvent(uint32_t number, uint32_t size, uint64_t time_unix_nano) {
  v1::Event event;
  event.set_schema(1);
  event.set_salt(std::string(16, 's'));
  event.set_time_unix_nano(time_unix_nano);
  event.set_type_uid(kNetworkTraffic);
  event.set_severity_id(1);
  event.set_source("vigil.bench");
  event.mutable_src()->set_ip(std::string("\x0a\x01\x02", 3) + static_cast<char>(number % 250 + 1));
  event.mutable_src()->set_port(40000 + number % 1000);
  event.mutable_dst()->set_ip(std::string("\xc6\x33\x64\x07", 4));
  event.mutable_dst()->set_port(443);
  event.set_protocol_num(6);
  event.mutable_traffic()->set_bytes_in(12'345);
  event.mutable_traffic()->set_bytes_out(2'345);
  const size_t bare = event.ByteSizeLong();
  if (size > bare + 4) event.set_message(std::string(std::min<size_t>(size - bare - 4, 2000), 'x'));
  const size_t with_message = event.ByteSizeLong();
  if (size > with_message + 4) event.set_raw(std::string(size - with_message - 4, 'r'));
  std::string bytes = event.SerializeAsString();
  EventView view;
  const absl::Status canonical = ledger::ScanEvent(AsBytes(bytes), &view);
  VIGIL_CHECK(canonical.ok(), canonical.ToString());
  VIGIL_CHECK(view.salt.data() == AsBytes(bytes).data() + kSaltOffset, "salt moved");
  return bytes;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const LoadAuthor>> LoadAuthor::Open(const std::string& key_path,
                                                                   const std::string& chain_id) {
  if (key_path.empty()) {
    return absl::InvalidArgumentError(
        "no signing key: pass --signing-key or name a context file that has one");
  }
  ASSIGN_OR_RETURN(ledger::SigningKey key, ledger::SigningKey::Load(key_path));
  ASSIGN_OR_RETURN(const Hash chain, Hash::From(AsBytes(chain_id)));
  const std::string run = HexEncode(AsBytes(ledger::RandomBytes(4)));
  return std::shared_ptr<const LoadAuthor>(new LoadAuthor(std::move(key), chain, run));
}

LoadStream::LoadStream(std::shared_ptr<const LoadAuthor> author, uint32_t number, uint32_t batch,
                       uint32_t event_bytes)
    : author_(std::move(author)),
      stream_(absl::StrCat("bench-", author_->run(), "-", number)),
      time_unix_nano_(static_cast<uint64_t>(SystemClock()->UnixMillis()) * 1'000'000),
      batch_(batch),
      salts_(std::make_shared<ledger::SaltSource>()) {
  event_ = TemplateEvent(number, event_bytes, time_unix_nano_);
}

void LoadStream::NextBatch(v1::SubmitRequest* request) {
  std::vector<std::string> events(batch_, event_);
  std::vector<ByteSpan> spans;
  spans.reserve(batch_);
  for (std::string& event : events) {
    const std::array<uint8_t, 16> salt = salts_->Next();
    std::memcpy(event.data() + kSaltOffset, salt.data(), salt.size());
    spans.push_back(AsBytes(event));
  }
  const std::string payload = ledger::EncodePayload(events);
  ledger::EventBatchBody body;
  body.stream = stream_;
  body.sequence = sequence_;
  body.previous = previous_;
  body.item_count = batch_;
  body.items_root = ledger::ItemsRoot(spans);
  body.first_time_unix_nano = time_unix_nano_;
  body.last_time_unix_nano = time_unix_nano_;
  body.payload_bytes = static_cast<uint32_t>(payload.size());
  const std::string leaf = ledger::SignRecord(body, author_->chain_id(), author_->key());
  made_ = ledger::LeafHash(AsBytes(leaf));
  request->set_tag(sequence_);
  request->set_leaf(leaf);
  request->set_payload(payload);
  request->set_ack(v1::ACK_COMMITTED);
}

void LoadStream::Accepted() {
  previous_ = made_;
  ++sequence_;
}

}  // namespace vigil::client
