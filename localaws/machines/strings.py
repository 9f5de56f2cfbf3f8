"""Strings in definitions, and `States.Format`, as the language defines them.

moto's parser keeps a definition's strings as they are spelled (`\\"` stays two characters) and
formats with Python's rules, where `{a}` and unescaped braces mean something else.
"""

import json
import re
from typing import Any

from localaws.moto_seams import machines as seams

# Escaped braces of an intrinsic's string, held in private-use characters until after formatting.
_OPEN, _CLOSE = "\ue07b", "\ue07d"
_ESCAPES = {"{": _OPEN, "}": _CLOSE, "n": "\n", "t": "\t", "r": "\r"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def install() -> None:
    """Put JSON's and the intrinsics' own escapes into the parser."""
    parser, intrinsics = seams.asl_preprocessor, seams.intrinsic_preprocessor
    seams.rebind(parser.Preprocessor, "_inner_string_of", staticmethod(_inner_string))
    seams.rebind(parser, "from_string_literal", _inner_string)
    seams.rebind(parser.Preprocessor, "visitString_intrinsic_function", _intrinsic)
    seams.rebind(intrinsics.Preprocessor, "_text_of_str", staticmethod(_argument))
    seams.rebind(seams.StringFormat, "_eval_body", _format)
    seams.rebind(parser.Preprocessor, "visitPayload_binding_value", _binding)


def _inner_string(parser_rule_context: Any) -> str | None:
    text: str = parser_rule_context.getText()
    if text == "null":
        return None
    if text.startswith('"') and text.endswith('"'):
        return str(json.loads(text, strict=False))
    return text


def _intrinsic(_parser: Any, ctx: Any) -> Any:
    return _expression(json.loads(ctx.STRINGINTRINSICFUNC().getText(), strict=False))


_plain_binding = seams.asl_preprocessor.Preprocessor.visitPayload_binding_value


def _binding(parser: Any, ctx: Any) -> Any:
    """moto's grammar takes the key `RoleArn.$` for one of its own and leaves its path unread."""
    binding = _plain_binding(parser, ctx)
    if binding.field != "RoleArn.$":
        return binding
    return seams.PayloadBindingStringExpressionSimple(
        field="RoleArn", string_expression_simple=_expression(binding.payload_value.val)
    )


def _expression(text: str) -> Any:
    strings = seams.string_expression
    if text.startswith("States."):
        function, _ = seams.IntrinsicParser.parse(text)
        return strings.StringIntrinsicFunction(
            intrinsic_function_derivation=text, function=function
        )
    if text.startswith("$$"):
        return strings.StringContextPath(context_object_path=text)
    return strings.StringJsonPath(json_path=text)


def _argument(parse_tree: Any) -> str:
    inner = parse_tree.getText()[1:-1]
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), inner)


def format_string(template: str, values: list[str]) -> str:
    """Put `values` into the `{}` places of `template`, in order.

    >>> format_string("{}-{}", ["a", "b"])
    'a-b'
    """
    parts = template.split("{}")
    if len(parts) != len(values) + 1:
        raise ValueError(f"{len(parts) - 1} places for {len(values)} arguments in '{template}'")
    joined = "".join(part + value for part, value in zip(parts, [*values, ""], strict=True))
    return joined.replace(_OPEN, "{").replace(_CLOSE, "}")


def _format(function: Any, env: Any) -> None:
    function.argument_list.eval(env=env)
    template, *values = env.stack.pop()
    env.stack.append(format_string(template, [function._to_str_repr(value) for value in values]))
