"""Standard headers are included where they are used, not by luck.

Each release of the standard library drops includes among its own headers: g++ 13 let go of
<cstdint> and <stdexcept>, g++ 14 of <algorithm>. A header counts if the file has it, or a header of
ours that the file includes.
"""

import re

from layers import INCLUDE
from tree import without_comments_and_strings

ALGORITHMS = """
adjacent_find all_of any_of binary_search clamp count count_if equal_range find find_end
find_first_of find_if find_if_not for_each for_each_n generate generate_n includes inplace_merge
is_heap is_partitioned is_permutation is_sorted is_sorted_until make_heap max_element merge
min_element minmax minmax_element mismatch next_permutation none_of nth_element partial_sort
partition partition_point pop_heap prev_permutation push_heap remove remove_copy remove_if replace
replace_if reverse reverse_copy rotate rotate_copy sample search search_n set_difference
set_intersection set_symmetric_difference set_union shuffle sort sort_heap stable_partition
stable_sort transform unique upper_bound
""".split()

# What is used, the header it needs, and headers that promise it too.
USES = [(re.compile(pattern), header, also) for pattern, header, *also in [
    (r"\bstd::(?:ranges::)?(?:" + "|".join(ALGORITHMS) + r")\s*\(", "algorithm", "cstdio"),
    (r"\bstd::u?int(?:8|16|32|64|max|ptr)_t\b", "cstdint"),
    (r"\bstd::(?:runtime_error|logic_error|invalid_argument|out_of_range|length_error)\b",
     "stdexcept"),
    (r"\bstd::(?:function|hash|less|greater|ref|cref|invoke|bind_front)\b(?!\s*\()",
     "functional", "string", "string_view"),
    (r"\bstd::(?:unique_ptr|shared_ptr|weak_ptr|make_unique|make_shared)\b", "memory"),
    (r"\bstd::(?:memcpy|memcmp|memset|memmove|strlen|strcmp|strerror)\b", "cstring"),
    (r"\bstd::(?:printf|fprintf|snprintf|fputs|fflush)\b", "cstdio"),
    (r"\bstd::(?:from_chars|to_chars)\b", "charconv"),
    (r"\bstd::(?:accumulate|iota|reduce|gcd|inclusive_scan)\b", "numeric"),
    (r"\bstd::(?:optional|nullopt)\b", "optional"),
    (r"\bstd::(?:variant|visit|get_if|holds_alternative)\b", "variant"),
    (r"\bstd::array\b", "array", "span", "tuple"),
    (r"\bstd::deque\b", "deque"),
    (r"\bstd::(?:multi)?map\b", "map"),
    (r"\bstd::(?:multi)?set\b", "set"),
    (r"\bstd::unordered_(?:multi)?map\b", "unordered_map"),
    (r"\bstd::unordered_(?:multi)?set\b", "unordered_set"),
    (r"\bstd::(?:ostringstream|istringstream|stringstream)\b", "sstream"),
    (r"\bstd::(?:rotl|rotr|popcount|countl_zero|bit_cast|endian|has_single_bit)\b", "bit"),
    (r"\bstd::(?:thread|jthread)\b", "thread"),
    (r"\bstd::(?:mutex|lock_guard|unique_lock|scoped_lock)\b", "mutex", "shared_mutex",
     "condition_variable"),
    (r"\bstd::atomic\w*\b", "atomic"),
]]


def check(tree):
    code = {file.name: without_comments_and_strings(file.text) for file in tree.code()}
    direct = {name: {match.group(2) for match in INCLUDE.finditer(text)}
              for name, text in code.items()}

    def reached(name, seen):
        """All headers `name` includes, through headers of ours."""
        for header in direct[name]:
            if header in seen:
                continue
            seen.add(header)
            for path in ("src/" + header, "include/" + header, header):
                if path in direct:
                    reached(path, seen)
        return seen

    for file in tree.code():
        have = reached(file.name, set())
        for pattern, header, also in USES:
            match = pattern.search(code[file.name])
            if match and header not in have and not have.intersection(also):
                yield f"{file.name}:{file.line_of(match.start())}: {match.group().strip(' (')} " \
                      f"without <{header}>"
