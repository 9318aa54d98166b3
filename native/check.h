#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "program.h"

/**
 * Whether a program may run: kernels trust their operands, so that every element that they touch has to be there. Checked once,
 * when a program is made, from what kernels declare of their operands (kernel.h). What is wrong comes back as text, empty where
 * nothing is.
 */
namespace limbeck {

/** What a kernel declares of an operand. */
struct Declaration {
  std::string_view name;
  std::string_view shape;
  bool optional;
  int64_t element_bytes;

  explicit Declaration(std::string_view text);
};

/** A step that runs whole. */
std::string check_step(const StepDescription& step, const std::vector<Storage>& storages);

/** How a group of steps is cut, apart from its steps. */
std::string check_strips(const Strips& strips);

/** A step that runs strip by strip. */
std::string check_cut(const StepDescription& step, const StepCut& cut, const Strips& strips,
                      const std::vector<Storage>& storages);

/** A sum over strips, which goes to `target`. */
std::string check_sum(const OperandDescription& target, const StripSum& sum, const Strips& strips,
                      const std::vector<Storage>& storages);

}  // namespace limbeck
