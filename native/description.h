#pragma once
#include <napi.h>

#include <string>

#include "isa.h"
#include "program.h"

/** What JavaScript describes a program with (ProgramDescription in src/engine/cpu/binding.ts), read into what Program takes. */
namespace limbeck {

/** Throws a JavaScript error whose `code` TypeScript turns into a LimbeckError. */
[[noreturn]] void fail(Napi::Env env, const char* code, const std::string& message);

int64_t integer(const Napi::Value& value);
Napi::Object object(const Napi::Value& value);
Napi::Array array(const Napi::Value& value);

StepDescription step_description(const Isa& isa, const Napi::Object& from);
GroupDescription group_description(const Napi::Object& from);

}  // namespace limbeck
