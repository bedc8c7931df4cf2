"""How far answers can be relied upon: prediction sets, scores by group, confidences of words."""
