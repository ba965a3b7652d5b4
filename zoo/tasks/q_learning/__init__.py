"""Deep Q-learning by `model.fit`: what is played is what is learned from.

replay.py    the steps that were played, as batches for `fit`, and their targets
networks.py  the copies of a network that choose and value actions, compiled
play.py      the callback that plays between epochs, and keeps the best network
pictures.py  figures of policies, and an episode as an animation

The games are in `zoo.data.games`.
"""
