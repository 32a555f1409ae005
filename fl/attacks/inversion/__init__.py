"""What somebody who sees an update learns of the examples behind it.

Passive attackers see one update, or a sum of updates, and know the model; the malicious server of `imprint` also
chooses the model. Images have pixels from 0 to 1, float64 [b, channels, height, width]; an observation is a gradient
float64 [b, d], or the sum of the gradients of a group of images. An update of one step of SGD is its gradient times a
learning rate that everybody knows.
"""
