#include "check.h"

#include <algorithm>
#include <optional>

namespace limbeck {

namespace {

std::string number(int64_t value) { return std::to_string(value); }

/** The value of a shape in terms of sizes: its axes, sums of products, multiplied. Nothing where it is 0 or too large. */
class Shape {
 public:
  Shape(std::string_view text, const char* const* names, const int64_t* sizes)
      : rest_(text), names_(names), sizes_(sizes) {}

  std::optional<int64_t> elements() {
    int64_t total = 1;
    do {
      int64_t axis = product();
      while (take('+'))
        if (__builtin_add_overflow(axis, product(), &axis)) axis = 0;
      if (axis < 1 || __builtin_mul_overflow(total, axis, &total)) return std::nullopt;
    } while (take(' '));
    return total;
  }

 private:
  bool take(char expected) {
    if (rest_.empty() || rest_.front() != expected) return false;
    rest_.remove_prefix(1);
    return true;
  }

  int64_t product() {
    int64_t value = factor();
    while (true) {
      if (take('*')) {
        if (__builtin_mul_overflow(value, factor(), &value)) return 0;
      } else if (take('/')) {
        const int64_t by = factor();
        value = by > 0 ? value / by : 0;
      } else {
        return value;
      }
    }
  }

  /** A number, or the size of that name; a size of 0 makes a shape of nothing. */
  int64_t factor() {
    const std::string_view word = rest_.substr(0, std::min(rest_.size(), rest_.find_first_of(" +*/")));
    rest_.remove_prefix(word.size());
    if (!word.empty() && word.front() >= '0' && word.front() <= '9') {
      int64_t value = 0;
      for (const char digit : word) value = 10 * value + (digit - '0');
      return value;
    }
    for (size_t i = 0; names_[i]; i++)
      if (word == names_[i]) return sizes_[i];
    return 0;
  }

  std::string_view rest_;
  const char* const* names_;
  const int64_t* sizes_;
};

std::string sizes_text(const Kernel& kernel, const int64_t* sizes) {
  std::string text;
  for (size_t i = 0; kernel.sizes[i]; i++)
    text += std::string(i ? ", " : "") + kernel.sizes[i] + " " + number(sizes[i]);
  return text;
}

/** The bytes of one member that a kernel touches of an operand; nothing where the sizes make no shape. */
std::optional<int64_t> bytes_touched(const Kernel& kernel, size_t operand, const int64_t* sizes) {
  const Declaration declared(kernel.operands[operand]);
  const std::optional<int64_t> elements = Shape(declared.shape, kernel.sizes, sizes).elements();
  int64_t bytes;
  if (!elements || __builtin_mul_overflow(*elements, declared.element_bytes, &bytes)) return std::nullopt;
  return bytes;
}

/** `operand x[N C]` has so many bytes and not as many as are touched. */
std::string too_small(const Kernel& kernel, size_t operand, const char* what, int64_t bytes, const int64_t* sizes) {
  const std::optional<int64_t> needed = bytes_touched(kernel, operand, sizes);
  const Declaration declared(kernel.operands[operand]);
  if (needed && *needed <= bytes) return "";
  return "operand " + std::string(declared.name) + " has " + number(bytes) + " bytes " + what + ", expected " +
         (needed ? number(*needed) : std::string("sizes of at least 1, and not this large,")) + " for [" +
         std::string(declared.shape) + "] with " + sizes_text(kernel, sizes);
}

/** Sizes by themselves. */
std::string check_sizes(const StepDescription& step, const Step& call, int64_t parts) {
  const Kernel& kernel = *step.kernel;
  for (size_t i = 0; kernel.sizes[i]; i++)
    if (call.sizes[i] < (i == 0 ? 1 : 0) || call.sizes[i] > UINT32_MAX)
      return "size " + std::string(kernel.sizes[i]) + " is " + number(call.sizes[i]) + ", expected " +
             (i == 0 ? "1" : "0") + " to 2^32 - 1";
  const char* const wrong = kernel.wrong ? kernel.wrong(call, parts) : nullptr;
  return wrong ? "the sizes are " + sizes_text(kernel, call.sizes) + ", expected " + wrong : "";
}

/** True when every member lies within the storage. Written so that nothing overflows. */
bool fits(const OperandDescription& o, int64_t available) {
  if (o.offset < 0 || o.stride < 0 || o.members < 1 || o.bytes < 0) return false;
  if (o.offset > available || o.bytes > available - o.offset) return false;
  return o.stride == 0 || o.members - 1 <= (available - o.offset - o.bytes) / o.stride;
}

/** Members that are stored apart. */
int64_t own_members(const OperandDescription& operand) { return operand.stride > 0 ? operand.members : 1; }

/** Where an operand is stored, for `members` of it. */
std::string check_place(const OperandDescription& operand, std::string_view name, int64_t element_bytes, int64_t members,
                        const std::vector<Storage>& storages) {
  const std::string which = "operand " + std::string(name);
  if (operand.storage >= static_cast<int64_t>(storages.size()))
    return which + " is in slot " + number(operand.storage) + ", expected one of " + number(static_cast<int64_t>(storages.size()));
  const Storage& storage = storages[static_cast<size_t>(operand.storage)];
  if (!fits(operand, storage.bytes))
    return which + " reaches beyond its slot of " + number(storage.bytes) + " bytes: offset " + number(operand.offset) + ", " +
           number(operand.members) + " members of " + number(operand.bytes) + ", stride " + number(operand.stride);
  if ((storage.offset + operand.offset) % element_bytes != 0 || operand.stride % element_bytes != 0)
    return which + " begins at byte " + number(storage.offset + operand.offset) + " with a stride of " +
           number(operand.stride) + ", expected multiples of " + number(element_bytes);
  if (operand.stride > 0 && operand.members < members)
    return which + " has " + number(operand.members) + " members, expected " + number(members) + ", or one for all";
  return "";
}

/** What is left out although it may not be; factors of a second pair, named with a 2, come together. */
template <class There>
std::string check_there(const Kernel& kernel, There&& there) {
  int second = -1;
  for (size_t o = 0; kernel.operands[o]; o++) {
    const Declaration declared(kernel.operands[o]);
    if (!declared.optional && !there(o)) return "operand " + std::string(declared.name) + " is left out, expected it";
    if (declared.name.back() != '2') continue;
    if (second >= 0 && second != there(o))
      return "one operand of the second pair is left out, expected both or neither";
    second = there(o);
  }
  return "";
}

/** The sizes of a step that is called with `count` parts; as cut_step in strips.cc has them. */
Step sizes_of(const StepDescription& step, const StepCut* cut, int64_t count, const Strips* strips) {
  Step call{};
  std::copy(step.sizes.begin(), step.sizes.end(), call.sizes);
  if (strips) call.place = {0, strips->parts, strips->channels};
  if (!cut) return call;
  call.sizes[0] = 1;
  for (int i = 1; i < kMaxSizes; i++)
    if (cut->sizes[i] != 0) call.sizes[i] = cut->sizes[i] > 0 ? cut->sizes[i] * count : 1;
  return call;
}

/** An operand of a strip of `count` parts; `whole` and `part` are sizes of the step and of the strip. */
std::string check_cut_operand(const StepDescription& step, size_t o, const OperandCut& cut, const Strips& strips,
                              int64_t count, const int64_t* whole, const int64_t* part) {
  const Kernel& kernel = *step.kernel;
  const OperandDescription& operand = step.operands[o];
  const Declaration declared(kernel.operands[o]);
  const std::string which = "operand " + std::string(declared.name);
  const bool among_sums = cut.kind == OperandKind::kSum || cut.kind == OperandKind::kChannelSum;
  if (cut.value < 0 || cut.value > INT32_MAX || (!among_sums && cut.value % declared.element_bytes != 0))
    return which + " cannot be cut at " + number(cut.value) + ", expected a place or size from 0 on, of whole elements";
  switch (cut.kind) {
    case OperandKind::kWhole: {
      if (operand.storage < 0) return "";
      const std::string wrong = too_small(kernel, o, "a member", operand.bytes, whole);
      return wrong.empty() ? too_small(kernel, o, "a member", operand.bytes, part) : wrong;
    }
    case OperandKind::kCut:
    case OperandKind::kPerChannel:
    case OperandKind::kPerImage: {
      const bool per_image = cut.kind == OperandKind::kPerImage;
      const int64_t images = (strips.parts + strips.channels - 1) / strips.channels;
      const int64_t pieces = per_image ? images : cut.kind == OperandKind::kCut ? strips.parts : strips.channels;
      if (operand.storage < 0 || cut.value > operand.bytes / pieces)
        return which + " has " + number(operand.bytes) + " bytes, expected " + number(pieces) + " parts of " + number(cut.value);
      return too_small(kernel, o, "a strip", cut.value * (per_image ? 1 : count), part);
    }
    case OperandKind::kInner:
      return too_small(kernel, o, "of strip memory", strips.inner_bytes - cut.value, part);
    case OperandKind::kSum:
      return too_small(kernel, o, "among the sums", 4 * (strips.sum_floats - cut.value), part);
    case OperandKind::kChannelSum:
      if (cut.row < 1) return which + " begins at " + number(cut.value) + ", expected the beginning of a sum with a row per channel";
      return too_small(kernel, o, "of a sum's rows", 4 * cut.row * count, part);
  }
  return which + " cannot be cut in the way " + number(static_cast<int64_t>(cut.kind)) + ", expected 0 to 6";
}

}  // namespace

Declaration::Declaration(std::string_view text) : optional(false), element_bytes(4) {
  const size_t open = std::min(text.find('['), text.size() - 1);
  std::string_view head = text.substr(0, open);
  shape = text.substr(open + 1, text.size() - open - 2);
  constexpr std::string_view bytes = ":u8";
  if (head.size() > bytes.size() && head.substr(head.size() - bytes.size()) == bytes) {
    element_bytes = 1;
    head.remove_suffix(bytes.size());
  }
  if (head.back() == '?') {
    optional = true;
    head.remove_suffix(1);
  }
  name = head;
}

std::string check_step(const StepDescription& step, const std::vector<Storage>& storages) {
  const Kernel& kernel = *step.kernel;
  const Step call = sizes_of(step, nullptr, 0, nullptr);
  std::string wrong = check_sizes(step, call, 0);
  if (wrong.empty()) wrong = check_there(kernel, [&](size_t o) { return step.operands[o].storage >= 0; });
  if (!wrong.empty()) return wrong;
  const int64_t members = call.sizes[0];
  int64_t most = 1;
  for (size_t o = 0; o < step.operands.size(); o++) {
    const OperandDescription& operand = step.operands[o];
    if (operand.storage < 0) continue;
    const Declaration declared(kernel.operands[o]);
    wrong = check_place(operand, declared.name, declared.element_bytes, members, storages);
    if (wrong.empty()) wrong = too_small(kernel, o, "a member", operand.bytes, call.sizes);
    if (!wrong.empty()) return wrong;
    most = std::max(most, own_members(operand));
  }
  return members <= most ? "" : "P is " + number(members) + ", expected at most the " + number(most) + " members of its operands";
}

std::string check_strips(const Strips& strips) {
  for (const int64_t size : {strips.parts, strips.channels, strips.members, strips.strips, strips.pieces})
    if (size < 1 || size > INT32_MAX) return "a group is cut by " + number(size) + ", expected 1 to 2^31 - 1";
  if (strips.pieces > strips.strips || strips.strips > strips.parts)
    return number(strips.parts) + " parts are cut into " + number(strips.strips) + " strips and these into " +
           number(strips.pieces) + " pieces, expected no more pieces than strips and no more strips than parts";
  constexpr int64_t most = int64_t{1} << 40;
  if (strips.inner_bytes < 0 || strips.inner_bytes > most || strips.inner_bytes != lines(strips.inner_bytes))
    return "a group has " + number(strips.inner_bytes) + " bytes of strip memory, expected whole lines of 64 bytes";
  // In double, where nothing overflows.
  const double pieces = static_cast<double>(strips.members) * static_cast<double>(strips.pieces);
  if (strips.sum_floats < 0 || pieces > INT32_MAX || pieces * static_cast<double>(strips.sum_floats) > static_cast<double>(most))
    return "a group has " + number(strips.sum_floats) + " floats of sums in each of " + number(strips.pieces) + " pieces of " +
           number(strips.members) + " members, expected at most 2^40 in at most 2^31 pieces";
  if (strips.channels == 1) return "";
  for (int64_t strip = 0; strip < strips.strips; strip++)
    if (strips.strip_start(strip) / strips.channels != (strips.strip_start(strip + 1) - 1) / strips.channels)
      return "a strip of planes reaches from one image to the next, expected it within one";
  return "";
}

std::string check_cut(const StepDescription& step, const StepCut& cut, const Strips& strips,
                      const std::vector<Storage>& storages) {
  const Kernel& kernel = *step.kernel;
  const Step whole = sizes_of(step, nullptr, 0, &strips);
  std::string wrong = check_sizes(step, whole, strips.parts);
  if (wrong.empty())
    wrong = check_there(kernel, [&](size_t o) {
      const OperandKind kind = cut.operands[o].kind;
      return step.operands[o].storage >= 0 || kind == OperandKind::kInner || kind == OperandKind::kSum ||
             kind == OperandKind::kChannelSum;
    });
  for (size_t o = 0; wrong.empty() && o < step.operands.size(); o++) {
    const Declaration declared(kernel.operands[o]);
    if (step.operands[o].storage >= 0)
      wrong = check_place(step.operands[o], declared.name, declared.element_bytes, strips.members, storages);
  }
  for (size_t o = step.operands.size(); o < kMaxOperands; o++)
    if (cut.operands[o].kind != OperandKind::kWhole) return "more operands are cut than the " + number(static_cast<int64_t>(step.operands.size())) + " there are";
  for (int i = 0; i < kMaxSizes; i++)
    if (cut.sizes[i] > INT32_MAX) return "a part adds " + number(cut.sizes[i]) + " to a size, expected less than 2^31";
  int64_t last = 0;
  for (int64_t strip = 0; wrong.empty() && strip < strips.strips; strip++) {
    const int64_t count = strips.strip_start(strip + 1) - strips.strip_start(strip);
    if (count == last) continue;
    last = count;
    const Step part = sizes_of(step, &cut, count, &strips);
    wrong = check_sizes(step, part, count);
    for (size_t o = 0; wrong.empty() && o < step.operands.size(); o++)
      wrong = check_cut_operand(step, o, cut.operands[o], strips, count, whole.sizes, part.sizes);
  }
  return wrong;
}

std::string check_sum(const OperandDescription& target, const StripSum& sum, const Strips& strips,
                      const std::vector<Storage>& storages) {
  if (target.storage < 0) return "a sum has no slot, expected one";
  if (sum.offset < 0 || sum.offset > strips.sum_floats || sum.floats > strips.sum_floats - sum.offset)
    return "a sum of " + number(sum.floats) + " floats begins at " + number(sum.offset) + " of " + number(strips.sum_floats) +
           ", expected it within";
  return check_place(target, "of a sum", 4, strips.members, storages);
}

}  // namespace limbeck
