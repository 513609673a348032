"""What was decided in a turn, carried out once its messages are in the log: its steps become items for the workers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from broker.core.people import People
from broker.core.rooms import Room, Rooms
from broker.core.sessions import Session, Worker
from broker.core.steps import NewTopic, Post, Repeat, Step, Tell
from broker.log import StorageError, StorageFull
from common import messages as m
from common.errors import MEANINGS, Code
from common.routing import Batch, Item


class Answers:
    """Collects what each worker is to be told, in its order, until the turn ends."""

    def __init__(self, people: People, rooms: Rooms, position: int) -> None:
        self._people = people
        self._rooms = rooms
        self.position = position
        """The id up to which the workers were told everything."""
        self._out: defaultdict[int, list[Item]] = defaultdict(list)
        self._draining = False

    def drain(self) -> None:
        """The server stops. Who comes and leaves is told no more: everybody does, and those who are told goodbye last are not to
        hear of it as news.
        """
        self._draining = True

    def add(self, number: int, item: Item) -> None:
        """This worker is told of something that does not wait for the log."""
        self._out[number].append(item)

    def tell_position(self, number: int) -> None:
        """This worker is told how far everything is, even if there is nothing else."""
        self._out.setdefault(number, [])

    def forget(self, number: int) -> None:
        """This worker is dead."""
        self._out.pop(number, None)

    def take(self, workers: Mapping[int, Worker]) -> dict[int, Batch]:
        """A batch for each worker that is to be told something and listens."""
        out, self._out = self._out, defaultdict(list)
        batches: dict[int, Batch] = {}
        for number, items in out.items():
            worker = workers.get(number)
            if worker is None:
                continue
            if worker.listening:
                worker.position = self.position
                batches[number] = [worker.position, worker.answered, items]
            elif worker.to_ask:
                worker.to_ask = False
                batches[number] = [worker.position, -1, [["introduce"]]]  # what was answered of late, it was not told
        return batches

    # --- steps -----------------------------------------------------------------------------------------------------------

    def carry_out(self, steps: Iterable[Step], problem: StorageError | None) -> None:
        """`problem`: why the messages of the turn are not in the log, if they are not."""
        for step in steps:
            if type(step) is Post:
                self._deliver(step, problem)
            elif type(step) is Tell:
                self._tell(step)
            elif type(step) is Repeat:
                self._repeat(step, problem)
            elif type(step) is NewTopic:
                self._note_topic(step.post)

    def _deliver(self, post: Post, problem: StorageError | None) -> None:
        """Gives messages to those who are to see them, or says why they are not in the log."""
        run = post.run
        if not run.first:
            for ref in range(run.ref, run.last_ref + 1):
                self._refuse(post.sender, ref, problem)
            return
        self.position = run.last
        frames = run.frames()
        for number, tag, whom in post.recipients:
            items = self._out[number]
            if items and items[-1][0] == tag and items[-1][1] == whom:  # those for the same ones go together
                items[-1][2].append(run.last)
                items[-1][3].append(frames)
            else:
                items.append([tag, whom, [run.last], [frames]])

    def _repeat(self, repeat: Repeat, problem: StorageError | None) -> None:
        """Gives the sender the first message of two that are the same."""
        first, ref, sender = repeat
        if isinstance(first, Post) and not first.run.first:
            self._refuse(sender, ref, problem)
            return
        entry = first.entry(ref) if isinstance(first, Post) else first
        self._out[sender.worker].append(reply_item(sender, entry.as_msg(again=True)))

    def _note_topic(self, post: Post) -> None:
        """It is told with each `joined` from here on, if it is in the log."""
        room = self._rooms.get(post.run.conv)
        if post.run.first and room is not None:
            room.set_topic(post.entry(post.run.last_ref))

    def _refuse(self, sender: Session, ref: int, problem: StorageError | None) -> None:
        assert problem is not None
        self._out[sender.worker].append(reply_item(sender, storage_error(ref, problem)))

    def _tell(self, tell: Tell) -> None:
        if tell.position_at is not None:
            tell.item[tell.position_at] = self.position
        for _, conv, _, _, options in tell.joined:
            if (room := self._rooms.get(conv)) is not None:
                options |= room.topic()
        self._out[tell.worker].append(tell.item)

    # --- who is where ----------------------------------------------------------------------------------------------------

    def tell_presence(self) -> None:
        """Who came to rooms in this turn, who left them, who went away and who is back."""
        if self._draining:
            return
        for number, sids, text in self._people.take_turned():
            self._out[number].append(["away", sids, text])
        for room, came, left, turned, anew in self._rooms.take_changes():
            items: list[Item] = []
            if anew:
                items.append(self._present(room))
            elif came or left or room.is_large:
                former = self._people.renamed(room, came, left)
                came = sorted({*came, *former})
                items.append(["presence", room.conv, room.name, came, left, len(room.people), former])
            away = self._people.away_among([*dict.fromkeys([*came, *turned])])
            back = [name for name in turned if name not in away]
            if (away or back) and not anew:
                items.append(["turned", room.conv, room.name, away, back, len(room.people)])
            for number in room.workers:
                self._out[number] += items
        self._people.told_who_is_where()

    def tell_who_is_elsewhere(self, now_ms: int) -> None:
        """Of those who are at several workers, or owe something, and have come or gone in this turn."""
        for number, identity, connections, owed_ms in self._people.take_spread(now_ms):
            self._out[number].append(["elsewhere", identity, connections, owed_ms])

    def tell_who_is_where(self, number: int) -> None:
        """After an introduction: who came or left while this worker was not told is not known to it otherwise."""
        for room in self._rooms if not self._draining else ():
            if number in room.workers:
                self._out[number].append(self._present(room))

    def _present(self, room: Room) -> Item:
        return ["present", room.conv, m.encode(self._people.presence(room))]


def reply_item(session: Session, reply: m.Reply) -> Item:
    """What its worker is to pass on to this session as it is."""
    return ["reply", session.sid, m.encode(reply)]


def storage_error(ref: int, problem: StorageError) -> m.Error:
    """What a client hears of the log's trouble: that is told in full in the server's log."""
    code = Code.STORAGE_FULL if isinstance(problem, StorageFull) else Code.STORAGE_UNAVAILABLE
    return m.Error(ref, code, MEANINGS[code].sentence)
