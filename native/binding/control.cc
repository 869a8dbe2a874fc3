#include "control.h"

#include <new>

#include "arguments.h"
#include "flow_change.h"
#include "flow_request.h"
#include "proc_file.h"
#include "result.h"

namespace nfconntrack::binding {
namespace {

constexpr napi_type_tag kTag = {0x6e66636f6e6e7472, 0x9d1b7c52a8f34e61};

void append(std::vector<u8>& bytes, Bytes more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

std::vector<u8> bytes_of(const std::vector<Refusal>& refusals) {
  std::vector<u8> bytes;
  for (const auto& [index, failure] : refusals) {
    const std::string& detail = failure.detail;
    const u32 head[] = {index, static_cast<u32>(failure.code), static_cast<u32>(detail.size())};
    append(bytes, Bytes(reinterpret_cast<const u8*>(head), sizeof head));
    append(bytes, Bytes(reinterpret_cast<const u8*>(detail.data()), detail.size()));
    bytes.resize((bytes.size() + 3) & ~std::size_t{3});
  }
  return bytes;
}

}  // namespace

Napi::Function Control::define(Napi::Env env) {
  return DefineClass(env, "Control",
                     {
                         InstanceMethod<&Control::start>("start"),
                         InstanceMethod<&Control::probe>("probe"),
                         InstanceMethod<&Control::portid>("portid"),
                         InstanceMethod<&Control::get>("get"),
                         InstanceMethod<&Control::cpu_stats>("cpuStats"),
                         InstanceMethod<&Control::global_stats>("globalStats"),
                         InstanceMethod<&Control::read_file>("readFile"),
                         InstanceMethod<&Control::write_file>("writeFile"),
                         InstanceMethod<&Control::list_directory>("listDirectory"),
                         InstanceMethod<&Control::change>("change"),
                         InstanceMethod<&Control::flush>("flush"),
                         InstanceMethod<&Control::list_expectations>("listExpectations"),
                         InstanceMethod<&Control::get_expectation>("getExpectation"),
                         InstanceMethod<&Control::create_expectation>("createExpectation"),
                         InstanceMethod<&Control::delete_expectation>("deleteExpectation"),
                         InstanceMethod<&Control::delete_expectations_of>("deleteExpectationsOf"),
                         InstanceMethod<&Control::flush_expectations>("flushExpectations"),
                         InstanceMethod<&Control::expectation_stats>("expectationStats"),
                         InstanceMethod<&Control::close>("close"),
                     });
}

Control* Control::from(const Napi::Value& value) {
  if (value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    Control* control = Unwrap(value.As<Napi::Object>());
    if (control != nullptr && control->netns_ != nullptr) return control;
  }
  Napi::TypeError::New(value.Env(), "not an open Control of this addon")
      .ThrowAsJavaScriptException();
  return nullptr;
}

Control::Control(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

// start(path, fresh): [errno, syscall, detail]
Napi::Value Control::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto path = string_argument(info, 0);
  if (!path) return env.Undefined();
  // Nor after close(), which a callback may call while the Waker that calls it still runs.
  if (waker_ != nullptr) return to_js(env, Failure::of(EALREADY, "open"));
  if (info[1].ToBoolean()) {
    netns_ = Netns::fresh();
  } else if (Failure failure = Netns::open(*path, netns_); !failure.ok()) {
    return to_js(env, failure);
  }
  waker_ = std::make_unique<Waker>(env, "nfconntrack.control", [this](Napi::Env e) { deliver(e); });
  if (!waker_->ok()) return to_js(env, Failure::of(ENOMEM, "napi_create_threadsafe_function"));
  worker_ = std::make_unique<Worker>(netns_);
  teardown_ = std::make_unique<TeardownHook>(env, [this] { halt(); });
  return to_js(env, worker_->start());
}

// probe(callback): answers once all that was asked before is answered; its failure tells whether
// the namespace could be entered and a socket be opened there.
Napi::Value Control::probe(const Napi::CallbackInfo& info) {
  return ask(info, 0, [](NetlinkSocket&, Answer&) {});
}

// portid(): the netlink port that requests come from; 0 until probe() is answered
Napi::Value Control::portid(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), worker_ == nullptr ? 0 : worker_->portid());
}

// get(key, callback): a batch of one flow
Napi::Value Control::get(const Napi::CallbackInfo& info) {
  const auto bytes = bytes_argument(info, 0, sizeof(FlowRecord));
  if (!bytes) return info.Env().Undefined();
  FlowRecord key;
  std::memcpy(&key, bytes->data(), sizeof key);
  return ask(info, 1, [key](NetlinkSocket& socket, Answer& answer) {
    FlowBatch batch(1);
    answer.failure = get_flow(socket, key, batch);
    answer.bytes.resize(batch.byte_size());
    batch.write(answer.bytes.data());
  });
}

// cpuStats(callback), globalStats(callback): {u32 cpu, type, value}...
Napi::Value Control::cpu_stats(const Napi::CallbackInfo& info) {
  return ask(info, 0, [](NetlinkSocket& socket, Answer& answer) {
    std::vector<Statistic> stats;
    answer.failure = get_cpu_stats(socket, stats);
    answer.bytes = bytes_of(stats);
  });
}

Napi::Value Control::global_stats(const Napi::CallbackInfo& info) {
  return ask(info, 0, [](NetlinkSocket& socket, Answer& answer) {
    std::vector<Statistic> stats;
    answer.failure = get_global_stats(socket, stats);
    answer.bytes = bytes_of(stats);
  });
}

// readFile(path, callback), listDirectory(path, callback), writeFile(path, text, callback)
Napi::Value Control::read_file(const Napi::CallbackInfo& info) {
  auto path = string_argument(info, 0);
  if (!path) return info.Env().Undefined();
  return ask(info, 1, [path = std::move(*path)](NetlinkSocket&, Answer& answer) {
    answer.failure = read_proc_file(path, answer.bytes);
  });
}

Napi::Value Control::list_directory(const Napi::CallbackInfo& info) {
  auto path = string_argument(info, 0);
  if (!path) return info.Env().Undefined();
  return ask(info, 1, [path = std::move(*path)](NetlinkSocket&, Answer& answer) {
    answer.failure = list_proc_directory(path, answer.bytes);
  });
}

Napi::Value Control::write_file(const Napi::CallbackInfo& info) {
  auto path = string_argument(info, 0);
  if (!path) return info.Env().Undefined();
  auto text = string_argument(info, 1);
  if (!text) return info.Env().Undefined();
  return ask(info, 2,
             [path = std::move(*path), text = std::move(*text)](NetlinkSocket&, Answer& answer) {
               answer.failure = write_proc_file(path, text);
             });
}

// change(kind, batch, callback): {u32 index, errno, text length; text padded to 4}... of what was
// refused
Napi::Value Control::change(const Napi::CallbackInfo& info) {
  const auto kind = number_argument(info, 0, 0, kChangeCount - 1);
  if (!kind) return info.Env().Undefined();
  const auto bytes = any_bytes_argument(info, 1);
  if (!bytes) return info.Env().Undefined();
  return ask(info, 2,
             [change = static_cast<Change>(static_cast<int>(*kind)),
              flows = std::vector<u8>(bytes->begin(), bytes->end())](NetlinkSocket& socket,
                                                                     Answer& answer) {
               BatchView batch;
               if (!batch.open(flows)) {
                 answer.failure = Failure::of(EINVAL, "netlink");
                 return;
               }
               std::vector<Refusal> refusals;
               answer.failure = apply(socket, change, batch, refusals);
               answer.bytes = bytes_of(refusals);
             });
}

Napi::Value Control::flush(const Napi::CallbackInfo& info) {
  return ask(info, 0, [](NetlinkSocket& socket, Answer& answer) {
    answer.failure = nfconntrack::flush(socket);
  });
}

Napi::Value Control::close(const Napi::CallbackInfo& info) {
  shut_down();
  pending_.clear();
  hold(info.Env());
  return info.Env().Undefined();
}

Napi::Value Control::ask(const Napi::CallbackInfo& info, std::size_t callback_index,
                         Question question) {
  const Napi::Env env = info.Env();
  const auto callback = function_argument(info, callback_index);
  if (!callback) return env.Undefined();
  if (worker_ == nullptr) {
    Napi::TypeError::New(env, "the Control is not open").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const u32 id = ++last_id_;
  pending_.emplace(id, Napi::Persistent(*callback));
  hold(env);
  worker_->post(
      [this, id, question = std::move(question)](NetlinkSocket& socket, const Failure& failure) {
        Answer answer{id, failure, {}};
        if (failure.ok()) run(question, socket, answer);
        answered(std::move(answer));
      });
  return env.Undefined();
}

void Control::run(const Question& question, NetlinkSocket& socket, Answer& answer) {
  try {
    question(socket, answer);
  } catch (const std::bad_alloc&) {
    answer.failure = Failure::of(ENOMEM, "malloc");
  }
}

void Control::answered(Answer answer) {
  {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  waker_->wake();
}

void Control::deliver(Napi::Env env) {
  const Napi::HandleScope scope(env);
  std::vector<Answer> answers;
  {
    const std::lock_guard lock(mutex_);
    answers.swap(answers_);
  }
  for (Answer& answer : answers) {
    const auto found = pending_.find(answer.id);
    if (found == pending_.end()) continue;
    const Napi::FunctionReference callback = std::move(found->second);
    pending_.erase(found);
    callback.Call({to_js(env, answer.failure), to_js(env, answer.bytes)});
    // lib/'s callbacks only settle a promise; should one throw, the rest still get their answers.
    if (env.IsExceptionPending()) env.GetAndClearPendingException();
  }
  hold(env);
}

// A callback may ask again, or close: so what is held is not counted, but decided anew each time.
void Control::hold(Napi::Env env) {
  const bool held = !pending_.empty();
  if (held == held_) return;
  held_ = held;
  waker_->keep_alive(env, held);
  if (held) {
    Ref();
  } else {
    Unref();
  }
}

void Control::halt() {
  if (worker_ != nullptr) worker_->stop();
  if (waker_ != nullptr) waker_->close();
}

void Control::shut_down() {
  halt();
  worker_.reset();
  teardown_.reset();
  netns_.reset();
}

}  // namespace nfconntrack::binding
