#pragma once
#include <napi.h>

#include <utility>

namespace limbeck {

/** Does `work` on a thread of its own; the promise resolves to what `answer` returns for its result on JavaScript's thread. */
template <class Work, class Answer>
class Later : public Napi::AsyncWorker {
 public:
  static Napi::Promise start(Napi::Env env, Work work, Answer answer) {
    Later* later = new Later(env, std::move(work), std::move(answer));
    const Napi::Promise promise = later->promise_.Promise();
    later->Queue();
    return promise;
  }

 protected:
  void Execute() override { result_ = work_(); }
  void OnOK() override {
    try {
      promise_.Resolve(answer_(Env(), result_));
    } catch (const Napi::Error& error) {
      promise_.Reject(error.Value());
    }
  }
  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  Later(Napi::Env env, Work work, Answer answer)
      : AsyncWorker(env),
        promise_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        answer_(std::move(answer)) {}

  Napi::Promise::Deferred promise_;
  Work work_;
  Answer answer_;
  decltype(std::declval<Work>()()) result_{};
};

template <class Work, class Answer>
Napi::Promise later(Napi::Env env, Work work, Answer answer) {
  return Later<Work, Answer>::start(env, std::move(work), std::move(answer));
}

}  // namespace limbeck
