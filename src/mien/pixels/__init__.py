"""Pictures and geometry: reading, writing, boxes, and the one preprocessing that training and run time share."""
