"""Takes part in a room with LiveKit's own Python client and prints what it saw and heard, one JSON object a line.

Arguments: URL (http://...), API key, API secret, room. The other participant is called "node"; it asks by the RPC "finish" whether all was seen,
and has this participant put out of the room.
"""

import array
import asyncio
import json
import math
import sys

from livekit import api, rtc

RATE = 48_000
FRAME = 480


def say(step, **seen):
    print(json.dumps({"step": step, **seen}), flush=True)


async def speak(source, hz):
    at = 0
    while True:
        samples = array.array("h", (int(8000 * math.sin(2 * math.pi * hz * (at + i) / RATE)) for i in range(FRAME)))
        await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, FRAME))
        at += FRAME


async def listen(track, skip_s=0.4, measure_s=0.5):
    """Hz by rising zero crossings, and root mean square."""
    skip, wanted = int(skip_s * RATE), int(measure_s * RATE)
    seen = squares = crossings = previous = 0
    stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
    async for event in stream:
        for sample in array.array("h", bytes(event.frame.data)):
            if skip <= seen < skip + wanted:
                squares += sample * sample
                crossings += previous < 0 <= sample
            previous = sample
            seen += 1
        if seen >= skip + wanted:
            break
    await stream.aclose()
    return {"hz": crossings / measure_s, "rms": math.sqrt(squares / wanted)}


def watch(room, seen):
    """Puts what comes into the queues of `seen`, by name."""

    @room.on("track_subscribed")
    def _(track, _publication, participant):
        seen["track"].put_nowait((track, participant.identity))

    @room.on("data_received")
    def _(packet):
        sender = packet.participant.identity if packet.participant else None
        seen["data"].put_nowait({"text": packet.data.decode(), "from": sender, "topic": packet.topic})

    @room.on("participant_attributes_changed")
    def _(changed, participant):
        if participant.identity == "node":
            seen["attributes"].put_nowait({"of": participant.identity, "changed": changed})

    @room.on("sip_dtmf_received")
    def _(dtmf):
        seen["dtmf"].put_nowait({"digit": dtmf.digit, "from": dtmf.participant.identity})

    @room.on("active_speakers_changed")
    def _(speakers):
        if any(speaker.identity == "node" for speaker in speakers):
            seen["speaker"].put_nowait({"who": "node"})

    @room.on("track_muted")
    def _(participant, publication):
        seen["muted"].put_nowait({"of": participant.identity, "sid": publication.sid})

    @room.on("disconnected")
    def _(reason):
        seen["disconnected"].put_nowait({"reason": rtc.DisconnectReason.Name(reason)})

    def on_text(reader, identity):
        async def read():
            seen["text"].put_nowait({"text": await reader.read_all(), "from": identity, "topic": reader.info.topic})

        asyncio.ensure_future(read())

    room.register_text_stream_handler("chat", on_text)


async def main(url, key, secret, name):
    names = ("track", "data", "attributes", "dtmf", "speaker", "muted", "disconnected", "text", "finish")
    seen = {name: asyncio.Queue() for name in names}
    token = (
        api.AccessToken(key, secret)
        .with_identity("python")
        .with_name("Py")
        .with_attributes({"language": "python", "gone": "soon"})
        .with_grants(api.VideoGrants(room_join=True, room=name, can_update_own_metadata=True))
        .to_jwt()
    )
    room = rtc.Room()
    watch(room, seen)
    await room.connect(url.replace("http", "ws"), token)
    me = room.local_participant
    say("joined", room=room.name, sid=await room.sid, others=sorted(room.remote_participants))

    @me.register_rpc_method("square")
    async def _(call):
        if not call.payload.isdigit():
            raise rtc.RpcError(42, "no number")
        return str(int(call.payload) ** 2) + " for " + call.caller_identity

    @me.register_rpc_method("finish")
    async def _(_call):
        return await seen["finish"].get()

    source = rtc.AudioSource(RATE, 1)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    publication = await me.publish_track(rtc.LocalAudioTrack.create_audio_track("tone", source), options)
    speaking = asyncio.ensure_future(speak(source, 440))
    say("published", sid=publication.sid)

    track, sender = await seen["track"].get()
    say("heard", of=sender, **await listen(track))
    say("speaker", **await seen["speaker"].get())

    await me.set_attributes({"mood": "good", "gone": ""})
    await me.publish_data("from python", topic="t", reliable=True)
    await me.publish_dtmf(code=7, digit="7")
    await me.send_text("a longer text " * 2_000, topic="chat")
    say("rpc", answer=await me.perform_rpc(destination_identity="node", method="greet", payload="python"))
    try:
        await me.perform_rpc(destination_identity="node", method="unknown", payload="")
    except rtc.RpcError as error:
        say("rpc error", code=error.code)
    for what in ("data", "dtmf", "attributes", "text"):
        say(what, **await seen[what].get())

    async with api.LiveKitAPI(url, key, secret) as client:
        listed = await client.room.list_participants(api.ListParticipantsRequest(room=name))
        say("participants", identities=sorted(each.identity for each in listed.participants))
        muting = api.MuteRoomTrackRequest(room=name, identity="node", track_sid=track.sid, muted=True)
        await client.room.mute_published_track(muting)
        say("muted", **await seen["muted"].get())
    seen["finish"].put_nowait("all")
    say("disconnected", **await seen["disconnected"].get())
    speaking.cancel()
    await source.aclose()
    await room.disconnect()


asyncio.run(main(*sys.argv[1:]))
