#pragma once
#include <napi.h>

#include <string>

#include "isa.h"
#include "program.h"

/** What JavaScript describes a program with (ProgramDescription in src/engine/cpu/binding.ts), read into what Program takes. */
namespace limbeck {

/** Throws a JavaScript error whose `code` TypeScript turns into a LimbeckError. */
[[noreturn]] void fail(Napi::Env env, const char* code, const std::string& message);

/** What a value is, for a message. */
std::string given(const Napi::Value& value);

/** A value that has to be one of these, called `what` in the message where it is not. */
int64_t integer(const Napi::Value& value, const char* what);
Napi::Object object(const Napi::Value& value, const char* what);
Napi::Array array(const Napi::Value& value, const char* what);

StepDescription step_description(const Isa& isa, const Napi::Object& from);
GroupDescription group_description(const Napi::Object& from);

}  // namespace limbeck
