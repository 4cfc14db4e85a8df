"""The first minute: a morning of cancellations, played through a real Kafka, with what comes of each.

    morning    the events, as they stand in `morning.jsonl`
    cat        sends such events and reads topics, as kcat would
    listening  what comes off Kafka, in order for each subscription
    playing    sends the morning and shows what comes of it
    stage      starts the servers and the service for it, and stops them
    words      events in words;  `drawing` a timeline as a picture

What holds: everything shown has come off Kafka, and is shown once, in the order of its sequence numbers. The play
waits for what is to happen, never for a while. Nothing here decides anything: that is `service.flow`.
"""
