"""What attackers recover of clients' images, with and without each protection: `fedtrail bench privacy`."""
