"""What a worker and the broker say to each other over their pipe. Only shapes: both sides pack them with msgpack.

A session is one connection of a client; its `sid` is unique within the worker. Items are arrays that begin with a tag.

From a worker, one of two kinds of batch:

    ["intro", sessions, more]           who is here: on every new pipe, and when the broker asked for it; a session is
                                        [sid, identity, name, rooms], or [sid, identity, name, rooms, away] of who is away
    ["requests", first, items]          numbered: the n-th item has the number first + n

        ["hello", sid, ref, identity, name, after, log, rooms, known]
        ["join", sid, ref, room]                    ["part", sid, ref, room]
        ["send", sid, ref, to, texts, conv, prevs]  ["find", sid, ref, name, before, limit]
        ["members", sid, ref, room, after, limit]   ["rooms", sid, ref, after, limit]
        ["present", sid, nil, conv]                 ["gone", sid, untold, owed]
        ["away", sid, ref, text]                    ["whois", sid, ref, name]
        ["typing", sid, ref, to, conv]              ["topic", sid, ref, to, [text], conv, [prev]]

A "send" has one message, or several that may be one run (`common.log.Run`): `ref` is that of the first. `prevs` has for each of
the others nil, or the counter of the one before it. A "topic" is one that sets a room's topic.

`untold`: nobody was ever told the token of this identity, so that nobody can come back as it. `owed`: by how much the client has
sent more than it might by now, in milliseconds.

From the broker, one kind: [position, answered, items]. `position` is the id up to which this worker has been told everything
with this batch; all requests with numbers up to `answered` are dealt with. A worker repeats to a new broker what was not
answered, and so each request can be carried out twice without harm.

        ["snapshot", log, key]                      the answer to an introduction, before anything else
        ["introduce"]                               what was said to this worker was lost: it is to introduce itself again
        ["lost", sid, code, text]                   an introduced session cannot go on
        ["welcome", sid, ref, name, position, [joined, ...], refused, away]
                                                    away: nil, or if the person is here with other sessions, too, why they are
                                                    away (empty: they are not)
        ["refused", sid, ref, code, text]           no welcome
        ["joined", sid, ref, position, joined]      joined: [room, conv, count, members, options]; the options go over the wire
                                                    as they are: who of the members is away, and the topic
        ["parted", sid, ref, position, room, conv]
        ["room", conv, ids, runs]                   messages for all who are in the room: the frames of each run, one behind the
                                                    other, and the id of the last of them
        ["direct", sids, ids, runs]                 messages for these
        ["reply", sid, frame]                       anything else that is for one session, as it goes over the wire
        ["page", sid, ref, to, conv, before, limit] the answer to "find": whose conversation to read
        ["presence", conv, room, joined, left, count, former]
                                                    former: of those who joined, by which kept name they went before
        ["turned", conv, room, away, back, count]   who in the room went away, and who is back
        ["said", sid, ref, text]                    the answer to "away"
        ["away", sids, text]                        the person behind these sessions is away, or back: to be told to them if it
                                                    is news, and to the next broker
        ["typing", conv, sids, identity, frame]     for these, or for all in the room but this person, if that costs little
        ["present", conv, frame]                    who is there, whatever was told before
        ["elsewhere", identity, connections, owed]  somebody who is here has so many connections at other workers, and owes so
                                                    many milliseconds; when it changes, behind the batch's welcomes
"""

from __future__ import annotations

from typing import Any, TypeAlias

Item: TypeAlias = list[Any]
Batch: TypeAlias = list[Any]

INTRODUCED_AT_ONCE = 5_000
"""Sessions in one introductory batch."""
