"""The page in a real browser: no complaint, every number the engine's, every step by keyboard, text that can be read."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from mytorch import Autograd, nn
from mytorch.viewer import watch, write
from mytorch.viewer.examples import write_examples
from tests.viewer.lists import HOSTILE, ODD, chain, lecture, network

pytestmark = pytest.mark.slow


@pytest.fixture
def steps(tmp_path, open_page):
    """``steps(program, step)``: the open page of a program that was watched, its engine, and what the program returned."""

    def steps(program, step=None, **options):
        engine = Autograd()
        with watch(engine), np.errstate(all="ignore"):
            result = program(engine)
        with np.errstate(all="ignore"):
            path = write(engine, tmp_path / "a page.html", "A page")
        return open_page(path, step, **options), engine, result

    return steps


# The number that an element shows with all its digits, which are in its title where it shows fewer.
NUMBERS = "nodes => nodes.map(node => node.title || node.textContent.replaceAll('−', '-'))"


def numbers(page, selector):
    return [float(text) for text in page.eval_on_selector_all(selector, NUMBERS)]


def title(page):
    return page.inner_text("#now-title")


def test_keys_lead_from_the_first_step_to_the_last(steps):
    page, _, _ = steps(lecture)
    titles = [title(page)]
    for _ in range(12):
        page.keyboard.press("ArrowRight")
        titles.append(title(page))
    assert titles[0] == "5 operations, ready to be stepped through"
    assert titles[1:6] == [
        f"Operation {n}, {name}, is recorded" for n, name in enumerate(["log", "mul", "sin", "add", "sub"])
    ]
    assert titles[6].startswith("The backward pass begins")
    assert titles[7:12] == [
        f"Back through operation {n}, {op}" for n, op in zip("43210", ["sub", "add", "sin", "mul", "log"])
    ]
    assert titles[12] == "The backward pass is complete"
    assert len(set(titles)) == 13
    page.keyboard.press("ArrowRight")
    assert title(page) == titles[12]
    for key, expected in [("Home", 0), ("ArrowLeft", 0), ("b", 6), ("ArrowLeft", 5), ("End", 12)]:
        page.keyboard.press(key)
        assert title(page) == titles[expected]
        assert page.inner_text("#count") == f"{expected} / 12"
        assert page.url.endswith(f"#step={expected}")
    assert "complete" in page.inner_text("#spoken")


def test_all_controls_are_reached_by_tab_and_have_names(steps):
    page, _, _ = steps(network, 1)
    names = """nodes => nodes.filter(node => node.offsetParent !== null || node.ownerSVGElement === null)
        .filter(node => !(node.getAttribute('aria-label') || node.getAttribute('aria-labelledby') || node.labels?.length
            || node.textContent.trim())).map(node => node.outerHTML)"""
    named = "button, input, canvas, [role=img], [role=region], nav, section, dialog"
    assert page.eval_on_selector_all(named, names) == []
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    buttons = {"first", "back", "play", "next", "last", "theme", "help-open"}
    assert buttons | {"list", "graph", "ledger", "addresses", "slider"} <= reached
    assert "CANVAS" in reached


def test_buttons_slider_and_rows_lead_to_steps(steps):
    page, _, _ = steps(lecture)
    page.click("#next")
    assert page.inner_text("#count") == "1 / 12"
    page.click("#last")
    page.click("#back")
    assert page.inner_text("#count") == "11 / 12"
    page.click("table.list tr[data-operation='3']")
    assert title(page) == "Back through operation 3, add"
    page.click("#first")
    page.click("table.list tr[data-operation='3'] button")
    assert title(page) == "Operation 3, add, is recorded"
    page.focus("#slider")
    page.keyboard.press("ArrowRight")
    assert title(page) == "Operation 4, sub, is recorded"
    page.click("g.node.made >> nth=1")
    assert title(page) == "Operation 1, mul, is recorded"


def test_play_goes_on_by_itself_and_pauses(steps):
    page, _, _ = steps(lecture)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(" ")
    page.locator("#count", has_text="1 / 12").wait_for(timeout=8000)
    page.keyboard.press(" ")
    assert page.get_attribute("#play", "aria-label") == "Play"
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")


@pytest.mark.parametrize(
    ("address", "count"), [("#step=7", "7 / 12"), ("#step=999", "12 / 12"), ("#step=x", "0 / 12"), ("", "0 / 12")]
)
def test_a_step_has_an_address(steps, address, count):
    page, _, _ = steps(lecture)
    page.goto(page.url.partition("#")[0] + address)
    assert page.inner_text("#count") == count


def test_the_table_of_gradients_has_the_engines_numbers(steps):
    page, engine, arrays = steps(lecture, 12)
    x1, x2 = (engine.gradient_buffer.get_param(arrays[name]).item() for name in ("x1", "x2"))
    assert numbers(page, "table.gradients tr:nth-child(1) .chip .number") == [5.0, 0.5]
    assert numbers(page, "table.gradients tr:nth-child(1) .sum .number") == [x1]
    assert numbers(page, "table.gradients tr:nth-child(3) .sum .number") == [x2]
    assert numbers(page, "table.list .value-cell .number") == [op.output.item() for op in engine.operation_list]
    page.keyboard.press("ArrowLeft")
    assert "second contribution to x1: 5 + 0.5 = 5.5" in page.inner_text("#now").replace("\n", "")


def test_parameters_fill_with_the_gradients_that_the_layers_hold(steps):
    page, _, (net, last) = steps(network)
    page.keyboard.press("End")
    shown = page.locator(".array.gradient")
    by_name = {re.sub(r"\s", "", shown.nth(i).inner_text().split("gradient")[0]): i for i in range(shown.count())}
    for name, gradient in {"dW2": net[2].dW, "db2": net[2].db, "dW3": last.dW, "db3": last.db}.items():
        values = shown.nth(by_name[name]).locator(".number").evaluate_all(NUMBERS)
        assert np.array_equal(np.array([float(text) for text in values]).reshape(gradient.shape), gradient)


def test_a_heat_map_tells_the_value_under_the_pointer(steps):
    page, _, (net, _) = steps(network, 1)
    weights = page.locator("figure.heat", has=page.locator("canvas[aria-label^='W1']"))
    assert "6 × 64 float64" in weights.inner_text()
    canvas = weights.locator("canvas")
    box = canvas.bounding_box()
    row, column = 4, 37
    page.mouse.move(box["x"] + (column + 0.5) * box["width"] / 64, box["y"] + (row + 0.5) * box["height"] / 6)
    told = weights.locator(".pointed")
    assert told.inner_text().startswith("[4, 37] = ")
    (shown,) = told.locator(".number").evaluate_all(NUMBERS)
    assert float(shown) == np.float32(net[0].W[row, column])
    canvas.press("ArrowDown")
    assert told.inner_text().startswith("[5, 37] = ")


def test_images_are_shown_as_images_and_as_a_matrix(steps):
    page, engine, _ = steps(network, 1)
    images = page.locator("figure.heat", has=page.locator("canvas[aria-label^='x:']"))
    size = "node => [node.width, node.height]"
    assert images.locator("canvas").evaluate(size) == [5 * 9 - 1, 8]
    images.locator("button").click()
    assert images.locator("canvas").evaluate(size) == [64, 5]
    x = engine.operation_list[0].inputs[0]
    images.locator("button").click()
    box = images.locator("canvas").bounding_box()
    dot = box["width"] / 44
    page.mouse.move(box["x"] + (2 * 9 + 3.5) * dot, box["y"] + 6.5 * dot)  # the third image, row 6, column 3
    assert images.locator(".pointed").inner_text().startswith(f"[2, {6 * 8 + 3}] = ")
    (shown,) = images.locator(".pointed .number").evaluate_all(NUMBERS)
    assert float(shown) == np.float32(x[2, 6 * 8 + 3])


def test_both_modes_stand_side_by_side(tmp_path, open_page):
    for path in write_examples(tmp_path):
        page = open_page(path)
        page.keyboard.press("End")
        forward = numbers(page, "table.modes td:nth-child(2) .number")
        assert forward
        assert forward == pytest.approx(numbers(page, "table.modes td:nth-child(3) .number"), rel=1e-14)


@pytest.mark.parametrize("program", [*ODD, lambda engine: None], ids=lambda program: program.__name__)
def test_odd_lists_can_be_walked(steps, program):
    page, engine, _ = steps(program)
    for _ in range(2 * len(engine.operation_list) + 3):
        page.keyboard.press("ArrowRight")
    assert title(page) == ("The backward pass is complete" if engine.operation_list else "Nothing was recorded")
    assert page.title() == "A page"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_hostile_names_are_text(steps):
    page, _, _ = steps(ODD[-1], 1)
    assert HOSTILE[:40] in page.inner_text("#now-title")
    assert page.locator("img[onerror]").count() == 0


def test_findings_stand_where_they_happen(steps):
    def program(engine):
        x = np.array([1.0, 2.0])
        y = np.exp(x)
        engine.add_operation([x], y, [None], lambda g, a: g * np.exp(a))
        copy = y.copy()
        z = copy * 2
        engine.add_operation([copy], z, [None], lambda g, a: 2 * g)
        engine.backward(z)

    page, _, _ = steps(program)
    assert "2 findings" in page.inner_text("#notes")
    assert page.locator(".list .mark").count() == 0
    page.keyboard.press("f")
    assert page.inner_text("#count") == "1 / 6"
    page.keyboard.press("f")
    assert "is another array" in page.inner_text("#now .findings")
    assert page.locator(".list .mark").count() == 2
    assert page.locator("path.cut[visibility=visible]").count() == 1


def test_addresses_are_shown_on_request(steps):
    page, _, arrays = steps(lecture, 12)
    address = hex(arrays["x1"].ctypes.data)
    assert address not in page.inner_text("#ledger")
    page.check("#addresses")
    assert address in page.inner_text("#ledger")


def test_a_large_list_opens_quickly(tmp_path, open_page):
    engine = Autograd()
    chain(engine, 1000, 40)
    path = write(engine, tmp_path / "steps.html")
    began = time.perf_counter()
    page = open_page(path)
    assert page.inner_text("#count") == "0 / 2002"
    assert time.perf_counter() - began < 6  # 2 seconds on an idle laptop
    page.keyboard.press("b")
    page.keyboard.press("ArrowRight")
    assert title(page) == "Back through operation 999, add"
    assert "Operations 960 to 999 of 1,000" in page.inner_text("#graph")


# For every piece of text, its contrast with what is painted behind it: elements whose ratio is too small.
CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => [r, g, b].map((c) => linear(c / 255))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * (top[3] ?? 1) + below[i] * (1 - (top[3] ?? 1)));
  const behind = (node) => {
    if (!node || node.nodeType !== 1) return [255, 255, 255];
    const colour = parse(getComputedStyle(node).backgroundColor);
    return colour.length === 4 && colour[3] === 0 ? behind(node.parentElement) : over(colour, [255, 255, 255]);
  };
  const opacity = (node) => (node ? Number(getComputedStyle(node).opacity) * opacity(node.parentElement) : 1);
  const wrong = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || node.closest("script, style, noscript, dialog, svg, :disabled") || !node.getClientRects().length) continue;
    const style = getComputedStyle(node), below = behind(node);
    const text = parse(style.color).slice(0, 3), share = opacity(node);
    const a = light(over([...text, share], below)), b = light(below);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) wrong.push(`${node.className} ${ratio.toFixed(2)} ${node.textContent.slice(0, 30)}`);
  }
  return wrong;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(steps, theme):
    for program in (network, ODD[2]):
        page, _, _ = steps(program, color_scheme=theme)
        for key in ("Home", "ArrowRight", "b", "ArrowRight", "End"):
            page.keyboard.press(key)
            assert page.evaluate(CONTRAST) == []


def test_the_theme_is_the_readers_choice(steps):
    page, _, _ = steps(network, 2, color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.keyboard.press("t")
    assert page.evaluate(paper) != light
    page.click("#theme")
    assert page.evaluate(paper) == light


@pytest.mark.parametrize("width", [320, 390, 900, 1400])
def test_nothing_is_wider_than_the_window(steps, width):
    page, _, _ = steps(network, width=width)
    for key in ("Home", "ArrowRight", "b", "ArrowRight", "End"):
        page.keyboard.press(key)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_who_wants_less_motion_has_less(steps):
    moving = "[...document.querySelectorAll('.edge.now')].map(edge => getComputedStyle(edge).animationName)"
    page, _, _ = steps(lecture, 8)
    assert "flow" in page.evaluate(moving)
    still, _, _ = steps(lecture, 8, reduced_motion="reduce")
    assert set(still.evaluate(moving)) == {"none"}


def test_print_shows_all_of_the_list_and_no_buttons(steps):
    page, _, _ = steps(network, 9)
    page.emulate_media(media="print")
    assert not page.is_visible(".controls")
    cut_off = "['list', 'graph', 'ledger'].filter(id => byId(id).scrollHeight > byId(id).clientHeight + 1)"
    assert page.evaluate(cut_off) == []


def test_a_layer_used_in_a_loop_is_readable(steps):
    def program(engine):
        layer = nn.Linear(3, 3, engine, rng=0)
        h = np.ones((2, 3))
        for _ in range(2):
            h = layer(h)
        engine.backward(h)
        return layer

    page, _, layer = steps(program)
    page.keyboard.press("End")
    values = page.locator(".array.gradient", has_text="dW").locator(".number").evaluate_all(NUMBERS)
    assert np.array_equal(np.array([float(text) for text in values]).reshape(3, 3), layer.dW)
