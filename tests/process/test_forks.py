"""A process that has used memery forks, as gunicorn's preload and multiprocessing do.

Each program below runs in a separate process, and a child that hangs is killed by its alarm.
"""

import pytest

from memery import index_flow
from support.commands import run_python
from support.images import paint

SECONDS = 60
HEAD = """
import os, signal, sys, threading
from PIL import Image
from memery import Memery
from memery.errors import MemeryError

def fail(unraisable):
    print("failed:", repr(unraisable.exc_value), flush=True)
    os._exit(1)
sys.unraisablehook = fail  # what a hook of a fork raises is only printed

def in_child(function, finalise=False):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            function()
        except BaseException as error:
            print("failed:", repr(error), flush=True)
            os._exit(1)
        if finalise:
            sys.exit(0)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code:
        sys.exit(f"the child ended with {code}")
"""


@pytest.fixture
def folder(tmp_path):
    for colour in ("red", "green", "blue"):
        paint(tmp_path / f"{colour}.png", colour, (64, 64))
    index_flow(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder):
    def run(program, *words):
        arguments = ("-W", "ignore", "-c", HEAD + program, *words)
        return run_python(*arguments, cwd=folder, timeout=SECONDS).stdout.split()

    return run


USED = """
def use(memery, colour):
    Image.new("RGB", (64, 64), colour).save(f"{colour}.png")
    memery.recall("red")
    memery.recall(image_query=f"{colour}.png")  # which is not indexed yet
    print(memery.build().searchable, flush=True)

memery = Memery(".")
use(memery, "white")  # both towers, the index, the store, and threads of all of them
"""


def test_open_library_works_in_child_and_parent(run):
    program = 'in_child(lambda: use(memery, "black"), finalise=True)\nuse(memery, "gray")'
    assert run(USED + program) == ["4", "5", "6"]


def test_forks_again_without_a_search_in_between(run):
    """As gunicorn's preload does for its workers."""
    program = 'for colour in ("black", "gray"):\n    in_child(lambda: use(memery, colour))'
    assert run(USED + program) == ["4", "5", "6"]


def test_library_opened_in_the_child_works(run):
    program = 'in_child(lambda: use(Memery("."), "black"), finalise=True)\nuse(memery, "gray")'
    assert run(USED + program) == ["4", "5", "6"]


def test_child_that_does_nothing_ends(run):
    assert run(USED + "in_child(lambda: None, finalise=True)") == ["4"]


@pytest.mark.slow
def test_workers_of_multiprocessing_search(run):
    program = """
import multiprocessing
def search(query):
    return memery.recall(query, mode="visual", top_k=4)[0].path
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(*pool.map_async(search, ["red", "green", "red", "blue"]).get(40))
"""
    best = run(USED + program)[1:]
    assert len(best) == 4
    assert best[0] == best[2]


@pytest.mark.slow
def test_child_has_its_own_locks(run):
    """SQLite would take the parent's for its own: the parent, as the last, would delete the log."""
    program = """
ready, go = os.pipe(), os.pipe()
if os.fork() == 0:
    signal.alarm(20)
    memery.recall("red")
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os._exit(0)
os.read(ready[0], 1)
memery.recall("red")
memery.close()
print(os.path.exists(".memery/store.sqlite3-wal"))
os.write(go[1], b"x")
"""
    assert run(USED + program) == ["4", "True"]


@pytest.mark.slow
def test_fork_waits_for_reads_of_other_threads(run):
    program = """
inside, leave = threading.Event(), threading.Event()
def read():
    with memery.store._db.reading():
        inside.set()
        leave.wait()
thread = threading.Thread(target=read)
thread.start()
inside.wait()
threading.Timer(0.2, leave.set).start()
in_child(lambda: use(memery, "black"))
thread.join()
use(memery, "gray")
"""
    assert run(USED + program) == ["4", "5", "6"]


@pytest.mark.slow
def test_reports_fork_during_a_transaction_at_once(run):
    program = """
def ask():
    try:
        memery.recall("red")
    except MemeryError as error:
        print("after" in str(error), flush=True)
with memery.store._db.transaction("BEGIN"):
    in_child(ask, finalise=True)
use(memery, "gray")
"""
    assert run(USED + program) == ["4", "True", "5"]


def test_child_loads_model_that_another_thread_was_loading(run):
    program = """
from memery.models.runtime import Network
from memery.models import starter
from memery.models.starter import StarterModel
# The child comes while only the network is being opened: no import and no tokenizer is under way.
loading, leave, open_ = threading.Event(), threading.Event(), Network._open
parent, read, names, is_read = os.getpid(), starter.read_tokenizer, [], threading.Event()
def reading(path):
    tokenizer = read(path)
    if os.getpid() == parent:
        names.append(path.name)
        if len(names) == 2:
            is_read.set()
    return tokenizer
starter.read_tokenizer = reading
def slow(self, options):
    if os.getpid() == parent:  # the child may inherit the lock of an event that is being waited for
        loading.set()
        leave.wait()
    return open_(self, options)
Network._open = slow
model = StarterModel()
thread = threading.Thread(target=model.encode_texts, args=[["red"]])
thread.start()
loading.wait()
is_read.wait()
def encode():
    print(len(model.encode_texts(["red"])), flush=True)
try:
    in_child(encode)
finally:
    leave.set()
thread.join()
"""
    assert run(program) == ["1"]


def test_fork_waits_for_imports_of_another_thread(run):
    program = """
import time
inside = threading.Event()
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy" and not inside.is_set():
            inside.set()
            time.sleep(0.3)  # the fork is here, unless it waits
sys.meta_path.insert(0, Slow())
def search():
    with Memery(".") as memery:
        print(memery.recall("red", mode="visual", top_k=1)[0].path, flush=True)
thread = threading.Thread(target=search)
thread.start()
inside.wait()
in_child(search, finalise=True)
thread.join()
"""
    best = run(program)
    assert len(best) == 2
    assert best[0] == best[1]


def test_fork_waits_for_an_archive_being_opened(run):
    program = """
import time
import sqlite3
opening, opened, connect = threading.Event(), threading.Event(), sqlite3.connect
def slow(*arguments, **options):
    opening.set()
    time.sleep(0.3)  # the fork is here, unless it waits
    connection = connect(*arguments, **options)
    opened.set()
    return connection
sqlite3.connect = slow
thread = threading.Thread(target=Memery, args=["."])
thread.start()
opening.wait()
in_child(lambda: print(opened.is_set(), flush=True))
thread.join()
use = Memery(".")
print(use.build().searchable)
"""
    assert run(program) == ["True", "3"]


def test_reports_shared_model_in_the_child_at_once(run):
    """Its threads are the parent's: it would wait for ever."""
    program = """
from memery.models.batching import SharedModel
from memery.testing.model import ColourModel
model = SharedModel(ColourModel())
model.encode_texts(["red"])
def ask():
    try:
        model.encode_texts(["red"])
    except MemeryError as error:
        print("forked" in str(error), flush=True)
    model.close()
in_child(ask)
print(len(model.encode_texts(["red"])))
"""
    assert run(program) == ["True", "1"]


def test_child_shares_no_connection_to_an_encoder(run):
    program = """
from memery.models.remote import RemoteModel
model = RemoteModel("http://127.0.0.1:9")
before = model._pool
in_child(lambda: print(model._pool is before, flush=True))
print(model._pool is before)
"""
    assert run(program) == ["False", "True"]


@pytest.mark.slow
def test_recognises_text_in_the_child(run):
    program = """
from PIL import ImageDraw, ImageFont
def read(word):
    image = Image.new("RGB", (400, 120), "white")
    ImageDraw.Draw(image).text((30, 30), word, fill="black", font=ImageFont.load_default(48))
    image.save(f"{word}.png")
    memery.build()
    print(memery.recall(f'"{word}"', top_k=1)[0].path, flush=True)
memery = Memery(".", read_text=True)
read("fork")
in_child(lambda: read("child"), finalise=True)
read("parent")
"""
    assert run(program) == ["fork.png", "child.png", "parent.png"]


def test_calls_every_watcher_though_each_raises(run):
    program = """
from memery.process.forks import ForkAware
sys.unraisablehook = lambda unraisable: told.append(type(unraisable.exc_value).__name__)
class Broken(ForkAware):
    def before_fork(self):
        told.append("before")
        raise ValueError
    def after_fork(self, *, in_child):
        told.append("child" if in_child else "parent")
        raise ValueError
told, watchers = [], [Broken() for _ in range(3)]
for watcher in watchers:
    watcher.watch_forks()
in_child(lambda: print(*told, flush=True))
print(*told)
"""
    before = [*["before"] * 3, "ExceptionGroup"]
    child, parent = [*["child"] * 3, "ExceptionGroup"], [*["parent"] * 3, "ExceptionGroup"]
    assert run(program) == [*before, *child, *before, *parent]
