/* SPDX-License-Identifier: MIT */
/* The states through which both halves of a device go, each in its `state` node, in decimal. See xenbus.md. */
#ifndef ABI_XENBUS_H
#define ABI_XENBUS_H

#define XenbusStateUnknown 0
#define XenbusStateInitialising 1
#define XenbusStateInitWait 2		/* backend: features are published, waits for the frontend */
#define XenbusStateInitialised 3	/* frontend: rings and channels are published */
#define XenbusStateConnected 4
#define XenbusStateClosing 5
#define XenbusStateClosed 6
#define XenbusStateReconfiguring 7
#define XenbusStateReconfigured 8

#endif
