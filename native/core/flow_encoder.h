// A flow record and its tail as the attributes of a request.
#pragma once

#include "batch_view.h"
#include "request.h"

namespace nfconntrack {

// What identifies a flow: its tuple (the original one, or the reply's if there is no original), its
// zone, and its id, which the kernel checks when it deletes.
void put_identity(Request& request, const FlowRecord& flow);

// All that `flow` says but its labels, for a request that creates or changes it.
void put_flow(Request& request, const FlowRecord& flow, const BatchView& batch);

// Its labels. The kernel refuses them in an update where it has no room for them, but makes a flow
// without them where it creates one (ctnetlink_new_conntrack()).
void put_labels(Request& request, const FlowRecord& flow, const BatchView& batch);
[[nodiscard]] bool has_labels(const FlowRecord& flow, const BatchView& batch);

}  // namespace nfconntrack
