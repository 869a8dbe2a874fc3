// An input is what JavaScript gives: {u8 which, bytes}, of a batch of flows or of expectations, a key, or
// the kernel's part of a filter. All that is asked with it is encoded; the socket was never opened, so
// that nothing is sent.
#include "request.h"

#include "ctnetlink.h"
#include "expectation_request.h"
#include "flow_change.h"
#include "flow_encoder.h"
#include "flow_request.h"
#include "fuzz_input.h"
#include "kernel_filter.h"

namespace {

using namespace nfconntrack;

constexpr std::size_t kMessageHead = 20;  // nlmsghdr, nfgenmsg

// A request is whole, or it is none.
void check_request(const Request& request) {
  const Bytes bytes = request.bytes();
  if (bytes.empty()) return;
  fuzz::require(bytes.size() >= kMessageHead);
  AttributeReader reader(bytes.subspan(kMessageHead));
  while (reader.next()) fuzz::require(fuzz::sum(reader.attribute().payload) != UINT64_MAX);
  fuzz::require(reader.complete());
}

void check_flow(const FlowRecord& flow, const BatchView& batch) {
  Request whole(ctnetlink::message_type(ctnetlink::kSubsystemFlow, ctnetlink::kNew), 0, 1,
                flow.family);
  put_identity(whole, flow);
  put_flow(whole, flow, batch);
  put_labels(whole, flow, batch);
  check_request(whole);
}

void check_flows(Bytes bytes, Change change) {
  BatchView batch;
  if (!batch.open(bytes)) return;
  for (std::size_t i = 0; i < batch.size(); ++i) check_flow(batch.record(i), batch);
  NetlinkSocket closed;
  std::vector<Refusal> refusals;
  const Failure failure = apply(closed, change, batch, refusals);
  fuzz::require(failure.ok() || failure.code == EBADF);
  for (const Refusal& refusal : refusals) fuzz::require(refusal.index < batch.size());
}

void check_expectations(Bytes bytes) {
  ExpectationBatchView batch;
  NetlinkSocket closed;
  if (!batch.open(bytes)) return;
  fuzz::require(!create_expectation(closed, batch).ok());
}

void check_expectation_key(Bytes bytes) {
  const auto key = fuzz::take_record<ExpectationRecord>(bytes);
  NetlinkSocket closed;
  ExpectationBatch answer(1);
  fuzz::require(!get_expectation(closed, key, answer).ok());
  fuzz::require(!list_expectations(closed, key, answer).ok());
  fuzz::require(!delete_expectation(closed, key).ok());
  const std::string helper(bytes.begin(), bytes.end());
  fuzz::require(!delete_expectations_of(closed, helper).ok());
}

void check_flow_key(Bytes bytes) {
  const auto key = fuzz::take_record<FlowRecord>(bytes);
  NetlinkSocket closed;
  FlowBatch answer(1);
  fuzz::require(!get_flow(closed, key, answer).ok());
}

void check_kernel_filter(Bytes bytes) {
  const auto pattern = fuzz::take_record<FlowRecord>(bytes);
  const auto masks = fuzz::take_record<u64>(bytes);
  const KernelFilter filter(pattern, static_cast<u32>(masks), static_cast<u32>(masks >> 32));
  for (const KernelFilter& part : filter.by_family()) {
    Request request(ctnetlink::message_type(ctnetlink::kSubsystemFlow, ctnetlink::kGet),
                    NLM_F_DUMP, 1, part.family());
    part.put(request);
    check_request(request);
    // No list is long enough in there to be refused.
    fuzz::require(!request.bytes().empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes input(data, size);
  const Bytes which = fuzz::take(input, 1);
  if (which.empty()) return 0;
  switch (which[0] % (kChangeCount + 4)) {
    case kChangeCount:
      check_expectations(input);
      break;
    case kChangeCount + 1:
      check_expectation_key(input);
      break;
    case kChangeCount + 2:
      check_flow_key(input);
      break;
    case kChangeCount + 3:
      check_kernel_filter(input);
      break;
    default:
      check_flows(input, static_cast<Change>(which[0] % (kChangeCount + 4)));
  }
  return 0;
}
